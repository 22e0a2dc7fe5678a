"""Everything of Dagster: assets, checks, partitions, jobs, schedules, sensors, resources. No lower layer imports it."""
