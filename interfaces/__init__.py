"""What a file looks like: specifications as data, bytes to tables and back. Knows no rules and no Dagster."""
