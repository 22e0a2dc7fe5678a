"""What every capability uses to send and receive files: sending, receiving, and what was reported to the Union before."""
