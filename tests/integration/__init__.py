"""Parts of the program with real parts of others: SQLite, PostgreSQL, OpenSSH, nginx, Chromium, Dagster."""
