"""Rules and decisions, in this process, without a server: `make test-fast`."""
