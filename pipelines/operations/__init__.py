"""What operators and auditors do besides the daily and monthly runs: audit, retention, keys, media, what is outstanding."""
