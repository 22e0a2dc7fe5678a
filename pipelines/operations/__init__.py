"""Operations besides the daily and monthly runs: audit, retention, keys, media, restoring, overdue work."""
