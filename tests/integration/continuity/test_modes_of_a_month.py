"""Everything that a month leaves on the disk, for people too, is its owner's alone, whatever the umask is."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.monthly_defects import SOUND
from tests.support.deployment import fill, settings_file
from tests.support.modes import Seen, renkei
from tests.support.monthly_desk import Desk, prepared

MONTH = ("--month", "2026-04")


@pytest.mark.slow
@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_all_that_a_month_leaves_is_its_owners_alone(desk: Desk, umask: int, tmp_path: Path) -> None:
    prepared(desk)
    desk.deliver("continuity_candidates", SOUND["continuity_candidates"])
    environment = {"RENKEI_SETTINGS": str(tmp_path / "renkei.toml")}
    seen = Seen(tmp_path, desk.server.root, tmp_path / "sshd", tmp_path / "extracts")
    sheet, form = tmp_path / "for" / "the" / "clerk.xlsx", tmp_path / "forms" / "form.xlsx"

    def done(*command: str, status: int = 0) -> None:
        ended = renkei(umask, environment, *command)
        assert ended.returncode == status, (command, ended.stdout, ended.stderr)

    done("run", "monthly", *MONTH, "--step", "out")
    done("run", "monthly", *MONTH, "--step", "candidates")
    done("continuity", "worksheet", *MONTH, "--to", str(sheet))
    filled = fill(sheet)
    filled.chmod(0o600)  # the clerk's own
    done("continuity", "import", str(filled))
    done("run", "monthly", *MONTH, "--step", "instruction")
    desk.deliver("continuity_result", SOUND["continuity_result"])
    desk.deliver("high_cost_handover", SOUND["high_cost_handover"])
    done("run", "monthly", *MONTH, "--step", "results")
    done("audit", "report", *MONTH, "--to", str(tmp_path / "audit" / "report.xlsx"))
    settings_file(tmp_path, ("continuity_result",), desk.more)
    done("continuity", "form", "continuity_result", *MONTH, "--to", str(form))
    names = {path.name for path in seen.appeared()}
    assert {
        "継続世帯確定リスト_2026-04.html",
        "継続世帯判定表_2026-04.xlsx",
        "benefit_extract.xlsx",
        "form.xlsx",
    } <= names
    assert seen.open_to_others() == {}
