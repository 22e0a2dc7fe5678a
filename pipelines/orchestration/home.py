"""Dagster's home of a deployment: DAGSTER_HOME, or a folder of the deployment that is created when it is needed."""

from __future__ import annotations

import os
from contextlib import redirect_stdout
from importlib.metadata import version
from io import StringIO
from pathlib import Path

import dagster as dg

from interfaces.messages import RenkeiError
from interfaces.private import close_folder, for_owner_alone, private_folder
from pipelines.configuration.settings import Settings
from pipelines.storage.files import write_durably

CONFIGURATION = Path(__file__).parent.parent / "dagster.yaml"
OWN_HOME = "dagster_home"
_MADE_BY = "made_by_dagster"  # the Dagster release of the tables in our own home


def dagster_home(settings: Settings) -> Path:
    """The home of the deployment. KR-6006 when DAGSTER_HOME names no folder.

    Our own home is in the data folder, has the configuration that is shipped, and is migrated when Dagster's release
    changed.
    """
    named = os.environ.get("DAGSTER_HOME")
    if named is not None:
        if not Path(named).is_absolute() or not Path(named).is_dir():
            raise RenkeiError("KR-6006", home=named or "指定なし")
        close_folder(Path(named))
        return Path(named)
    home = private_folder(settings.data_folder).resolve() / OWN_HOME
    release = home / _MADE_BY
    if not release.is_file() or release.read_text(encoding="ascii") != version("dagster"):
        private_folder(home)
        write_durably(home / "dagster.yaml", CONFIGURATION.read_bytes())
        # Dagster prints its migrations; that is no output of the command.
        with for_owner_alone(), redirect_stdout(StringIO()), dg.DagsterInstance.from_config(str(home)) as instance:
            instance.upgrade()
        write_durably(release, version("dagster").encode("ascii"))
    return home
