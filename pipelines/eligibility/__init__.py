"""Daily out: extracts -> snapshot -> changes -> the two 資格情報 files. Decisions are pure functions; wiring is in `daily`."""
