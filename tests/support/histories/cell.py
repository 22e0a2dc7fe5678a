"""A town's deployment, driven through `renkei` by an operator who knows what each stop asks of them."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from fixtures.counterpart.delivery import leave
from fixtures.odd_histories.papers import OWN, Papers
from fixtures.odd_histories.town import EXTRACTS, Rows
from fixtures.sftp_server import Server
from pipelines.cli import main
from tests.support.rings import settings_lines

# What an operator may confirm with a reason: rows lost, and too much at once.
TO_CONFIRM = {"KR-7201", "KR-7222"}
CONFIRMED = "異動は窓口で確かめた"


@dataclass(frozen=True)
class Worked:
    """What became of a day: the 要修正 list, what stopped it, and whether the operator confirmed with a reason."""

    withheld: list[dict[str, str]]
    stop: str
    confirmed: bool


class Cell:
    """One municipality's deployment in `folder`; its folders at the Union are below the server's `root`, under its name.

    floor: up to how many changes nobody is asked about (None: the program's default).
    """

    def __init__(self, folder: Path, server: Server, root: Path, papers: Papers, floor: int | None = None) -> None:
        self.folder, self.papers = folder, papers
        self.to_union, self.from_union = (root / folder.name / name for name in ("to_union", "from_union"))
        for path in (folder / "extracts", self.to_union, self.from_union):
            path.mkdir(parents=True)
        self._settings = folder / "renkei.toml"
        self._settings.write_text(
            "".join(f'{name} = "{value}"\n' for name, value in OWN.items())
            + 'data_folder = "data"\nextract_folder = "extracts"\noperator = "試験"\nfirst_day = 2025-06-02\n'
            + f'[sftp]\nhost = "{server.host}"\nport = {server.port}\nuser = "{server.user}"\n'
            f'private_key = "{server.private_key}"\nhost_key = "{server.host_key}"\n'
            f'to_union_folder = "{folder.name}/to_union"\nfrom_union_folder = "{folder.name}/from_union"\n'
            + settings_lines()
            + (f"[limits]\nfloor = {floor}\n" if floor is not None else ""),
            encoding="utf-8",
        )

    def renkei(self, *arguments: str) -> Result:
        """A command."""
        return CliRunner().invoke(main, list(arguments), env={"RENKEI_SETTINGS": str(self._settings)})

    def write_extracts(self, rows: Rows, day: dt.date) -> None:
        """The day's extracts as the town's systems leave them."""
        for interface in EXTRACTS:
            name, content = self.papers.extract(interface, day, rows[interface])
            (self.folder / "extracts" / name).write_bytes(content)

    def must_stop(self, day: dt.date, code: str) -> None:
        """The day is not sent, and the operator sees why."""
        result = self.renkei("run", "daily", "--date", day.isoformat(), "--only", "out")
        assert (result.exit_code, result.stderr[: len(code)]) == (2, code), result.output
        assert not list(self.to_union.iterdir())

    def recall(self, day: dt.date) -> None:
        """The day is recalled, as agreed with the Union."""
        result = self.renkei("ledger", "recall", "--date", day.isoformat(), "--reason", "氏名の誤り")
        assert result.exit_code == 0, result.output

    def confirm_person(self, day: dt.date, number: str) -> None:
        """Somebody who seemed to be another person is the same."""
        result = self.renkei("confirm-person", "--date", day.isoformat(), "--person", number, "--reason", CONFIRMED)
        assert result.exit_code == 0, result.output

    def work(self, day: dt.date, *, confirm: bool = False) -> Worked:
        """Receive and send for a day, and look at the 要修正 list when there is one; `confirm`: with a reason at once."""
        arguments = ["run", "daily", "--date", day.isoformat(), *(["--confirm", CONFIRMED] if confirm else [])]
        if not any(self.from_union.iterdir()):
            arguments += ["--only", "out"]
        result = self.renkei(*arguments)
        stop = re.match(r"KR-\d{4}", result.stderr)
        if result.exit_code == 2 and stop and stop[0] in TO_CONFIRM:
            result = self.renkei("run", "daily", "--date", day.isoformat(), "--only", "out", "--confirm", CONFIRMED)
            assert result.exit_code == 0, result.output
            return Worked(self._withheld_of(result, day), stop[0], confirmed=True)
        assert result.exit_code == 0, result.output
        return Worked(self._withheld_of(result, day), "", confirmed=confirm)

    def work_again(self, day: dt.date) -> None:
        """A day that is out is run once more: nothing leaves."""
        result = self.renkei("run", "daily", "--date", day.isoformat(), "--only", "out")
        assert (result.exit_code, list(self.to_union.iterdir())) == (0, []), result.output
        assert "送付済み（前に送ったとおり）" in result.output

    def _withheld_of(self, result: Result, day: dt.date) -> list[dict[str, str]]:
        """The 要修正 list of a day, when its command spoke of one."""
        if "要修正一覧" not in result.output:
            return []
        result = self.renkei("withheld", "--date", day.isoformat(), "--json")
        assert result.exit_code == 0, result.output
        found: list[dict[str, str]] = json.loads(result.stdout)
        return found

    def answer(self, name: str, content: bytes) -> None:
        """A file of the Union arrives in its folder."""
        leave(self.from_union / name, content)
