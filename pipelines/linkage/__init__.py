"""Daily in: the Union's three files -> linkage state and discrepancies. Decisions are pure; wiring is in `daily`."""
