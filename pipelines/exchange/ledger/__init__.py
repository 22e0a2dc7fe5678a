"""The ledger: every file that leaves or arrives, its state, and an append-only, hash-chained history. Moves no file."""
