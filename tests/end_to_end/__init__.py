"""Days and months as users live them, by commands, schedules and files."""
