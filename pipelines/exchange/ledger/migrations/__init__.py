"""What Alembic runs to bring a ledger's database from version to version. Which one a database has is told in `version`."""
