"""Bytes at rest: durable files, locks, keys, encryption and signatures, the archive, tables. Knows no interface."""
