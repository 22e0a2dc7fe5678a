"""Daily in: the Union's daily files -> linkage state and discrepancies. Decisions are pure; `daily` connects them."""
