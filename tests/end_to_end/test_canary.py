"""Persons are nowhere to be found: a month through Dagster with everything that can go wrong, and then every byte searched."""

from __future__ import annotations

import csv
import datetime as dt
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from fixtures.canary import CLERKS, Leak, Person, answers_of_the_ui, files, persons, search
from fixtures.counterpart.misbehaviour import MY_NUMBERS, Misbehaviour
from fixtures.demo.days import months_of_days
from fixtures.world import OURS
from tests.support.monthly_town import APRIL, MonthlyTown
from tests.support.paths import ROOT
from tests.support.processes import renkei
from tests.support.servers import OpenSshServer, free_port


class WatchedTown(MonthlyTown):
    """Runs everything the way the UI shows it, and keeps what was printed."""

    said = ""

    def renkei(self, *arguments: str, status: int | None = 0) -> str:
        environment = os.environ | self.environment
        done = renkei(arguments, environment)
        assert status in (None, done.returncode), done.stdout + done.stderr
        self.said += done.stdout + done.stderr
        return done.stdout + done.stderr

    def step(self, month: dt.date, step: str, status: int = 0) -> str:
        """A month's step; the first income classes are everybody's, and wait for a second person."""
        said = super().step(month, step, status)
        if step == "out":
            self.approve("--month", f"{month:%Y-%m}", files=1)
            said += super().step(month, step, status)
        return said

    def approve(self, *partition: str, files: int) -> None:
        shown = self.renkei("approve", *partition)
        assert f"承認待ち {files}ファイル" in shown
        hashes = [f"--sha256={line.split()[-1]}" for line in shown.splitlines() if "SHA-256" in line]
        self.renkei("approve", *partition, "--by", "合成　承認者", *hashes)
        assert "承認待ち 0ファイル" in self.renkei("approve", *partition)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "RENKEI_SETTINGS": str(self.settings),
            "DAGSTER_HOME": str(self.settings.parent / "dagster_home"),
            "DAGSTER_REDACT_USER_CODE_ERRORS": "1",
        }

    def open(self) -> None:
        home = self.settings.parent / "dagster_home"
        home.mkdir()
        shipped = ROOT / "dagster_home" / "dagster.yaml"
        (home / "dagster.yaml").write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
        subprocess.run(
            [Path(sys.executable).with_name("dagster"), "instance", "migrate"],
            env=os.environ | self.environment,
            check=True,
            capture_output=True,
        )


# By day from the beginning, or from the end: what the Union does wrong.
WRONG_ANSWERS = {1: Misbehaviour.truncated, -1: Misbehaviour.with_my_number}


def spoil(extract: Path, person: Person) -> None:
    """The canary's row gets a wrong check digit, an impossible date and a character that no table holds."""
    rows = list(csv.reader(StringIO(extract.read_text(encoding="utf-8"))))
    heading = rows[0]
    for row in rows[1:]:
        if row[heading.index("個人番号")] == person.number:
            row[heading.index("個人番号")] = person.number[:-1] + str((int(person.number[-1]) + 1) % 10)
            row[heading.index("生年月日")] = "1979-02-30"
            row[heading.index("氏名")] += "𠀋"
    with extract.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows(rows)


@pytest.mark.slow
def test_nobody_is_to_be_found_anywhere(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = WatchedTown(tmp_path, openssh_server, seed=8, persons=400)
    town.open()
    text = town.settings.read_text(encoding="utf-8").replace("first_load = false", "first_load = true")
    town.settings.write_text(text, encoding="utf-8")
    days = months_of_days(APRIL, 1)[APRIL]
    canaries = []
    for number, day in enumerate(days):
        town.world.live(day)
        out = ("run", "daily", "--date", day.isoformat(), "--only", "out")
        ours = number in (0, 1, len(days) - 1)
        if number == 0:
            town.renkei(*out)
            assert list((openssh_server.root / OURS.code / "to_union").iterdir()) == []
            town.approve("--date", day.isoformat(), files=2)
            town.renkei(*out)
            canaries = persons(tmp_path / "extracts")
        elif number == 1:  # a canary's record is spoilt: held back; then an extract that cannot be read at all
            extract = next((tmp_path / "extracts").glob(f"resident*{day:%Y%m%d}*"))
            spoil(extract, canaries[0])
            sound = extract.read_bytes()
            extract.write_bytes(sound.replace("氏名,".encode(), "名前,".encode(), 1))
            town.renkei(*out, status=2)
            extract.write_bytes(sound)
            town.renkei(*out)
        elif ours:  # all that changed since the second day leaves at once, and is asked about
            town.renkei(*out, status=2)
            town.renkei(*out, "--confirm", "二日目からの送付がない")
        town.world.night(day, WRONG_ANSWERS.get(number - len(days) if number > 1 else number))
        if ours:
            town.renkei("run", "daily", "--date", day.isoformat(), "--only", "in", status=None)
    town.world.month_end(APRIL)
    town.decide(APRIL)
    town.world.month_close(APRIL)
    town.step(APRIL, "results")
    report = ("audit", "report", "--target-month", "2026-04", "--to", str(tmp_path / "data" / "audit.html"))
    asked = ("linkage", "discrepancies", "--date", days[1].isoformat())
    for command in (("ledger", "list"), ("quarantine", "list"), ("audit", "verify"), asked, report):
        town.renkei(*command)
    wrong_digit = canaries[0].number[:-1] + str((int(canaries[0].number[-1]) + 1) % 10)
    canaries += [Person(number, ()) for number in (wrong_digit, *(one.decode() for one in MY_NUMBERS))]

    ours_all = files(tmp_path) | {"printed": town.said.encode()}
    clerks = {place: data for place, data in ours_all.items() if place.startswith(CLERKS)}
    rest = {place: data for place, data in ours_all.items() if place not in clerks}
    rest |= answers_of_the_ui(os.environ | town.environment, free_port())
    assert len({place.split("/")[2] for place in rest if place.startswith("data/quarantine/")}) >= 2
    assert any(place.startswith("data/reports/") and place.endswith(".xlsx") for place in rest)
    assert search(rest, canaries) == []
    assert clerks
    assert search(clerks, canaries, words=False) == []


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    import base64
    import gzip
    import zipfile
    from io import BytesIO

    person = Person("123456789018", ("合成　カナリア太郎",))
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", "<si><t>合成　カナリア太郎</t></si>")
    spelt = {
        "plain": b"..123456789018..",
        "wide": "１２３４５６７８９０１８".encode(),
        "wide cp932": "１２３４５６７８９０１８".encode("cp932"),
        "utf-16": "123456789018".encode("utf-16-le"),
        "hex": b"123456789018".hex().encode(),
        "grouped": b"1234 5678 9018",
        "json": b'"\\u5408\\u6210\\u3000\\u30ab\\u30ca\\u30ea\\u30a2\\u592a\\u90ce"',
        "cp932 name": "合成　カナリア太郎".encode("cp932"),
        "xlsx": packed.getvalue(),
        "gzip": gzip.compress(b"123456789018"),
        **{f"base64 {n}": base64.b64encode(b"x" * n + b"123456789018" + b"y" * (5 - n)) for n in range(4)},
    }
    assert {leak.place for leak in search(spelt, [person])} == set(spelt)
    assert search({"other": b"123456789012 \xe5\x90\x88\xe6\x88\x90"}, [person]) == []
    assert isinstance(search({"plain": b"123456789018"}, [person])[0], Leak)
