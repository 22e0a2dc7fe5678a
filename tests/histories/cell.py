"""A town's deployment, driven through `renkei` by an operator who knows what each stop asks of him."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result
from rings import settings_lines

from fixtures.counterpart.delivery import leave
from fixtures.odd_histories.papers import OWN, Papers
from fixtures.odd_histories.town import EXTRACTS, Rows
from fixtures.sftp_server import Server
from pipelines.cli import main

# What an operator may confirm with a reason: rows lost, and too much at once.
TO_CONFIRM = {"KR-7201", "KR-7222"}
CONFIRMED = "異動は窓口で確かめた"


@dataclass(frozen=True)
class Worked:
    """What became of a day: the 要修正 list, and whether the operator confirmed something with a reason."""

    held: list[dict[str, str]]
    confirmed: bool


class Cell:
    """One municipality's folder below `folder`; `place`: its folder at the Union, below the server's `root`.

    `stops`: how often each code stopped a day until the operator confirmed it.
    """

    def __init__(self, folder: Path, server: Server, root: Path, papers: Papers, settings: str = "") -> None:
        self.folder, self.papers = folder, papers
        self.stops: Counter[str] = Counter()
        self.to_union, self.from_union = (root / folder.name / name for name in ("to_union", "from_union"))
        for path in (folder / "extracts", self.to_union, self.from_union):
            path.mkdir(parents=True)
        self._settings = folder / "renkei.toml"
        self._settings.write_text(
            "".join(f'{name} = "{value}"\n' for name, value in OWN.items())
            + 'data_folder = "data"\nextract_folder = "extracts"\noperator = "試験"\n'
            + f'[sftp]\nhost = "{server.host}"\nport = {server.port}\nuser = "{server.user}"\n'
            f'private_key = "{server.private_key}"\nhost_key = "{server.host_key}"\n'
            f'to_union_folder = "{folder.name}/to_union"\nfrom_union_folder = "{folder.name}/from_union"\n'
            + settings_lines()
            + settings,
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

    def work(self, day: dt.date) -> Worked:
        """Receive and send for a day, and look at the 要修正 list when there is one."""
        arguments = ["run", "daily", "--date", day.isoformat()]
        if not any(self.from_union.iterdir()):
            arguments += ["--only", "out"]
        result, confirmed = self.renkei(*arguments), False
        stop = re.match(r"KR-\d{4}", result.stderr)
        if result.exit_code == 2 and stop and stop[0] in TO_CONFIRM:
            self.stops[stop[0]] += 1
            result = self.renkei("run", "daily", "--date", day.isoformat(), "--only", "out", "--confirm", CONFIRMED)
            confirmed = True
        assert result.exit_code == 0, result.output
        return Worked(self._held(day) if "要修正一覧" in result.output else [], confirmed)

    def _held(self, day: dt.date) -> list[dict[str, str]]:
        result = self.renkei("held", "--date", day.isoformat(), "--json")
        assert result.exit_code == 0, result.output
        found: list[dict[str, str]] = json.loads(result.stdout)
        return found

    def answer(self, name: str, content: bytes) -> None:
        """A file of the Union lies in its folder."""
        leave(self.from_union / name, content)
