"""The code location: the name under which Dagster's programs know our definitions, and which every run belongs to.

A run without it could not be launched again from the UI. What the location loads is `pipelines.definitions`.
"""

from __future__ import annotations

import sys

from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

MODULE = "pipelines.definitions"  # with `-m` and with [tool.dagster] the location has the name of its module
REPOSITORY = "__repository__"  # Dagster's name for the definitions of a module


def origin_of(job: str) -> RemoteJobOrigin:
    """Where a job comes from, as the daemon and the web server say it of the runs that they launch."""
    module = LoadableTargetOrigin(executable_path=sys.executable, module_name=MODULE)
    return RemoteRepositoryOrigin(ManagedGrpcPythonEnvCodeLocationOrigin(module), REPOSITORY).get_job_origin(job)
