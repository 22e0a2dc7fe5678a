"""docs/extending.md, carried out in a copy of the project: what it adds is there, and runs."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.prefecture import MUNICIPALITIES, Prefecture
from interfaces.catalogue import load_catalogue
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "extending.md"
BLOCK = re.compile(
    r"<!-- (?P<what>\w+)(?:: (?P<path>[^|\n]+?))?(?: \| ?(?P<place>.+?))? -->\n```\w+\n(?P<text>.*?)```", re.S
)
OURS, DAY = MUNICIPALITIES[0], dt.date(2026, 4, 1)


@dataclass(frozen=True)
class Copy:
    """A copy of the program's source, and a deployment that runs it."""

    root: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        program = str(Path(sys.executable).parent)
        settings = {"PYTHONPATH": str(self.root), "RENKEI_SETTINGS": str(self.root / "renkei.toml")}
        path = {"PATH": f"{self.root / 'bin'}:{program}:{os.environ['PATH']}"}
        return subprocess.run(
            command, cwd=self.root, env=os.environ | settings | path, capture_output=True, text=True, check=False
        )

    def must(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def python(self, program: str) -> str:
        return self.must(sys.executable, "-c", program)

    def carry_out(self, what: str, path: str | None, place: str | None, text: str) -> None:
        if what == "run":
            self.must("bash", "-euc", text)
            return
        file = self.root / str(path).strip()
        before = file.read_text(encoding="utf-8") if what != "new" else ""
        if what in ("new", "append"):
            file.write_text(before + text, encoding="utf-8")
            return
        (line,) = [text for text in before.splitlines(keepends=True) if text.startswith(str(place))]
        after = text + line if what == "before" else line + text
        file.write_text(before.replace(line, after, 1), encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The project's copy after the page."""
    root = tmp_path_factory.mktemp("extended")
    for package in ("interfaces", "schemas", "pipelines"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "bin").mkdir()
    command = root / "bin" / "renkei"
    command.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from pipelines.cli import main; main()' \"$@\"\n")
    command.chmod(0o755)
    (root / "extracts").mkdir()
    (root / "renkei.toml").write_text(
        f'municipality_code = "{OURS.code}"\ninsurer_number = "{OURS.insurer_number}"\nprefecture_code = "99"\n'
        'data_folder = "data"\nextract_folder = "extracts"\noperator = "試験"\n[media]\nallowed = ["M-0001"]\n',
        encoding="utf-8",
    )
    made = Copy(root)
    made.must("renkei", "keys", "init")
    blocks = list(BLOCK.finditer(PAGE.read_text(encoding="utf-8")))
    assert len(blocks) == PAGE.read_text(encoding="utf-8").count("```") // 2, "every block of the page is carried out"
    for block in blocks:
        made.carry_out(block["what"], block["path"], block["place"], block["text"])
    return made


WRITE = """
import datetime as dt, polars as pl
from pathlib import Path
from interfaces import codec
from interfaces.catalogue import load_catalogue
from interfaces.naming import file_name
day = dt.date(2026, 4, 1)
specification = load_catalogue().in_force("notice_list", day)
header = {"municipality_code": "%s", "insurer_number": "%s", "prefecture_code": "99",
          "media_kind": "transmission", "created_on": day, "file_number": "000001"}
rows = pl.DataFrame({"resident_number": ["000000000000011"], "detected_on": [dt.date(2026, 4, %d)]})
content = codec.compose(specification, day, rows, header).data
Path("medium").mkdir(exist_ok=True)
Path("medium/媒体管理番号.txt").write_text("M-0001", encoding="utf-8")
path = Path("medium") / file_name(specification, header)
path.write_bytes(content)
import os
os.utime(path, (1_700_000_000, 1_700_000_000))
print(path)
"""
RUN = """
import dagster as dg
from pipelines.definitions import defs
job = defs.get_repository_def().get_job("%s")
result = job.execute_in_process(instance=dg.DagsterInstance.ephemeral(), partition_key="%s", raise_on_error=False)
for made in result.get_asset_materialization_events():
    print("made", made.asset_key.path[-1])
for check in result.get_asset_check_evaluations():
    print("check", check.check_name, check.passed)
"""


def notice(copy: Copy, day: int) -> str:
    return copy.python(WRITE % (OURS.code, OURS.insurer_number, day)).strip()


def test_a_new_interface_is_received_judged_and_applied_by_its_own_day(copy: Copy) -> None:
    notice(copy, 1)
    assert "検証済み" in copy.must("renkei", "media", "import", "medium", "--reason", "試験")
    said = copy.python(RUN % ("daily_in", "2026-04-01"))
    assert "made notice_list" in said and "check notice_list_is_valid True" in said, said
    (entry,) = json.loads(copy.must("renkei", "ledger", "list", "--json"))
    assert (entry["interface"], entry["state"]) == ("notice_list", "applied")
    asked = copy.must("renkei", "linkage", "discrepancies", "--date", "2026-04-01")
    assert "KR-8101" in asked and "問い合わせ 1件" in asked


def test_a_new_rule_is_judged_and_explained(copy: Copy) -> None:
    """The 4th of April 2026 is a Saturday."""
    judged = copy.run("renkei", "validate", notice(copy, 4), "--json")
    assert judged.returncode == 1, judged.stdout + judged.stderr
    (finding,) = json.loads(judged.stdout)["findings"]
    assert (finding["code"], finding["item_name"], finding["line"]) == ("KR-3090", "検出年月日", 2)
    assert "土日の日付" in copy.must("renkei", "explain", "KR-3090")
    assert copy.run("renkei", "validate", notice(copy, 1)).returncode == 0


def test_a_new_relation_is_judged(copy: Copy, tmp_path: Path) -> None:
    prefecture = Prefecture(3, 600, DAY)
    prefecture.live_through(DAY)
    files = prefecture.write_extracts(tmp_path, OURS.code, DAY, load_catalogue())
    (insured,) = [path for path in files if path.name.startswith("insured")]
    judged = copy.run("renkei", "validate", str(insured), "--json")
    alone = [finding for finding in json.loads(judged.stdout)["findings"] if finding["code"] == "KR-5090"]
    assert alone and {finding["level"] for finding in alone} == {"warning"}


def test_a_new_step_of_the_month_has_a_job_a_schedule_a_command_and_runs(copy: Copy) -> None:
    assert "notices" in copy.must("renkei", "run", "monthly", "--help")
    shown = copy.python(
        "from pipelines.definitions import defs\n"
        "print(defs.resolve_schedule_def('monthly_notices_schedule').job_name)\n"
    )
    assert shown.strip() == "monthly_notices"
    said = copy.must("renkei", "run", "monthly", "--month", "2026-04", "--step", "notices")
    assert "お知らせリスト" in said
    assert "made notices_of_the_month" in copy.python(RUN % ("monthly_notices", "2026-04-01"))
