"""What Dagster's web server and daemon load (`-m pipelines.definitions`). It is made in `orchestration.assembly`."""

from pipelines.orchestration.assembly import definitions

defs = definitions()
