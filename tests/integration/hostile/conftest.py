"""What the hostile tests share: sound files of every interface, and how hard to try (RENKEI_FUZZ, `make fuzz`)."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.support.hostile.sound import Sound, sound_files

EXAMPLES = os.environ.get("RENKEI_FUZZ")

# The usual run tries the same few examples every time; a fuzz run tries as many new ones as it is asked for.
settings.register_profile(
    "hostile",
    max_examples=int(EXAMPLES or 10),
    derandomize=EXAMPLES is None,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sound]:
    return sound_files(tmp_path_factory.mktemp("sound"))
