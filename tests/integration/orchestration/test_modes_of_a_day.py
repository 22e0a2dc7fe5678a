"""Everything that a day leaves on the disk is its owner's alone, whatever the umask of the account is."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from fixtures.counterpart.delivery import leave
from tests.support.modes import Seen, renkei
from tests.support.paths import ROOT
from tests.support.rings import key_folder
from tests.support.village import Village

HOME = ROOT / "dagster_home"
DAY, NEXT, LAST = dt.date(2026, 4, 1), dt.date(2026, 4, 2), dt.date(2026, 4, 3)


@pytest.mark.slow
@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_all_that_a_day_leaves_is_its_owners_alone(village: Village, umask: int, tmp_path: Path) -> None:
    village.add(1, 1)
    village.add(2, 2)
    village.fill()
    for day in (DAY, NEXT, LAST):
        village.extract(day)
    village.settings(str(key_folder()), "keys")
    home = tmp_path / "dagster"
    home.mkdir(mode=0o755)
    shutil.copy(HOME / "dagster.yaml", home)
    leave(village.server.root / "from_union" / "KRSID_999997_20260402_000001.csv", b"1,2,3\r\n")
    seen = Seen(tmp_path, village.server.root, tmp_path / "sshd", tmp_path / "extracts")
    environment = {"RENKEI_SETTINGS": str(village.settings_path), "DAGSTER_HOME": str(home)}
    book, page = tmp_path / "sent" / "to" / "somebody.xlsx", tmp_path / "reports" / "audit.html"
    extract = next(path for path in (tmp_path / "extracts").iterdir() if path.name.startswith("resident"))
    open_before = tmp_path / "open.xlsx"
    open_before.write_bytes(b"")
    open_before.chmod(0o666)
    commands: tuple[tuple[int, tuple[str, ...]], ...] = (
        (0, ("keys", "init")),
        (0, ("run", "daily", "--date", DAY.isoformat(), "--only", "out")),
        (0, ("withheld", "--date", DAY.isoformat())),
        (1, ("run", "daily", "--date", NEXT.isoformat(), "--only", "in")),
        (0, ("run", "daily", "--date", NEXT.isoformat(), "--only", "out")),
        (0, ("run", "daily", "--date", LAST.isoformat(), "--only", "in")),
        (0, ("rerun", "--failed", "--dry-run")),
        (0, ("validate", str(extract), "--xlsx", str(book))),
        (0, ("validate", str(extract), "--xlsx", str(open_before))),
        (0, ("audit", "report", "--month", "2026-04", "--to", str(book.with_name("audit.xlsx")))),
        (0, ("audit", "report", "--month", "2026-04", "--to", str(page))),
        (0, ("audit", "verify")),
        (0, ("keys", "rotate", "records", "--reason", "試験")),
    )
    for status, command in commands:
        done = renkei(umask, environment, *command)
        assert done.returncode == status, (command, done.stdout, done.stderr)
    names = {path.relative_to(tmp_path).parts[0] for path in seen.appeared()}
    assert {"data", "keys", "clerk", "dagster", "sent", "reports", "data.sent.log"} <= names
    assert any(path.name == "unexpected_errors.log" for path in seen.appeared())
    assert any("quarantine" in path.parts and path.suffix == ".xlsx" for path in seen.appeared())
    assert seen.open_to_others() == {}
    assert oct(home.stat().st_mode & 0o777) == "0o700"
    assert oct(open_before.stat().st_mode & 0o777) == "0o600"
