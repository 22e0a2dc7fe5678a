"""What every capability uses to send and to receive a file: one gate out, one way in, what the Union was told before."""
