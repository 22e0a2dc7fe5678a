"""Everything of Dagster: assets, checks, partitions, jobs, schedules, sensors, resources. No other room imports it."""
