"""A few households written by hand, sent by `renkei run daily` to a real sshd: for histories that no simulation draws."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
from click.testing import CliRunner, Result

from fixtures.counterpart.delivery import leave
from interfaces import codec
from interfaces.catalogue import Catalogue, load_catalogue
from interfaces.naming import file_name
from interfaces.values import to_canonical
from pipelines.cli import main
from pipelines.configuration.settings import Settings
from pipelines.deployment import Environment
from pipelines.exchange.ledger.states import Direction
from tests.support.rings import settings_lines
from tests.support.servers import OpenSshServer

OWN = {"municipality_code": "999997", "insurer_number": "990010", "prefecture_code": "99"}
BEGAN = dt.date(2020, 4, 1)
INDIVIDUAL, HOUSEHOLD = "eligibility_individual", "eligibility_household"
Row = dict[str, Any]


def person(number: int) -> str:
    return f"{number:015d}"


def home(number: int) -> str:
    return f"{9000 + number:015d}"


class Village:
    """Rows of the three extracts, to be changed from day to day. `more`: rows that are listed a second time, by interface."""

    def __init__(self, folder: Path, server: OpenSshServer, settings: str = "") -> None:
        self.folder, self.server = folder, server
        self.residents: dict[str, Row] = {}
        self.insured: dict[str, Row] = {}
        self.households: dict[str, Row] = {}
        self.before: dict[str, list[Row]] = {}
        self.after: dict[str, list[Row]] = {}
        self.catalogue: Catalogue = load_catalogue()
        (folder / "extracts").mkdir()
        self.settings_path = folder / "renkei.toml"
        self.settings_path.write_text(
            "".join(f'{name} = "{value}"\n' for name, value in OWN.items())
            + 'data_folder = "data"\nextract_folder = "extracts"\noperator = "試験"\nfirst_day = 2026-03-02\n'
            + settings
            + f'[sftp]\nhost = "{server.host}"\nport = {server.port}\nuser = "{server.user}"\n'
            f'private_key = "{server.private_key}"\nhost_key = "{server.host_key}"\n'
            f'to_union_folder = "{server.root}/to_union"\nfrom_union_folder = "{server.root}/from_union"\n'
            "settle_seconds = 0\n" + settings_lines(),
            encoding="utf-8",
        )

    def settings(self, old: str, new: str) -> None:
        """Change the settings file."""
        text = self.settings_path.read_text(encoding="utf-8")
        assert old in text
        self.settings_path.write_text(text.replace(old, new), encoding="utf-8")

    def add(self, family: int, *members: int, head: int | None = None, **facts: object) -> None:
        """A household of insured members; the first of them, or `head` (who is not insured), is its head."""
        for place, member in enumerate((*members, *([head] if head is not None else []))):
            self.residents[person(member)] = {
                "resident_number": person(member),
                "resident_household_number": home(family),
                "resident_kind": "japanese",
                "resident_state": "resident",
                "my_number": None,
                "name": f"合成　{'甲乙丙丁戊己庚辛壬癸'[member % 10]}",
                "name_kana": "ゴウセイ　カナ",
                "born_on": dt.date(1980, 1, 1 + member % 28),
                "born_on_uncertain": "no",
                "sex": "male" if place % 2 == 0 else "female",
                "relationship": "head" if place == 0 else "wife",
                "postal_code": None,
                "address": None,
                "address_detail": None,
                "changed_on": BEGAN,
                "changed_on_uncertain": "no",
                "previous_municipality_code": None,
                "next_municipality_code": None,
            }
        for place, member in enumerate(members):
            self.insured[person(member)] = {
                "resident_number": person(member),
                "household_number": home(family),
                "branch_number": f"{place + 1:02d}",
                "acquired_on": BEGAN,
                "acquisition_reason": "moved_in",
                "lost_on": None,
                "loss_reason": None,
                "applied_on": BEGAN,
                "application_reason": "moved_in",
                "ended_on": None,
                "end_reason": None,
                "notified_on": BEGAN,
                "changed_on": BEGAN,
                **facts,
            }
        self.households[home(family)] = {
            "household_number": home(family),
            "certificate_symbol": None,
            "certificate_number": f"{family:08d}",
            "head_resident_number": person(members[0] if head is None else head),
            "nominal_head": "no" if head is None else "yes",
            "household_applied_on": BEGAN,
            "household_ended_on": None,
            "postal_code": None,
            "address": "合成県合成市一丁目",
            "address_detail": None,
            "changed_on": BEGAN,
        }

    def fill(self, families: int = 10) -> None:
        """Households of whom nothing is ever reported, so that one person more or less is no loss of rows."""
        for number in range(families):
            self.add(500 + number, 5000 + number)

    def end(self, member: int, on: dt.date, reason: str = "joined_other_insurance") -> None:
        """The member's period ends."""
        loss = "moved_out" if reason == "moved_out_prefecture" else reason
        self.insured[person(member)] |= {
            "lost_on": on,
            "loss_reason": loss,
            "ended_on": on,
            "end_reason": reason,
            "changed_on": on,
        }

    def extract(self, day: dt.date) -> None:
        """Write the extracts of a day."""
        tables = {
            "resident_extract": self.residents,
            "insured_extract": self.insured,
            "household_extract": self.households,
        }
        header = OWN | {"processed_on": day}
        for interface, rows in tables.items():
            specification = self.catalogue.in_force(interface, day)
            schema = {
                item.id: pl.Date() if item.type.is_date else pl.String()
                for item in specification.data.items
                if item.id not in header
            }
            all_rows = [*self.before.get(interface, []), *rows.values(), *self.after.get(interface, [])]
            frame = pl.DataFrame(all_rows, schema=schema, orient="row")
            encoded = codec.compose(specification, day, frame, header)
            assert encoded.problems.is_empty(), encoded.problems
            (self.folder / "extracts" / file_name(specification, header)).write_bytes(encoded.data)

    def cli(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, list(arguments), env={"RENKEI_SETTINGS": str(self.settings_path)})

    def send(self, day: dt.date, *options: str) -> Result:
        """Write the day's extracts and send the day."""
        self.extract(day)
        return self.cli("run", "daily", "--date", day.isoformat(), "--only", "out", *options)

    def sent(self, day: dt.date, interface: str = INDIVIDUAL, number: int = 1) -> dict[str, Row]:
        """The records at the Union, by their key: what the day's file reported."""
        specification = self.catalogue.in_force(interface, day)
        name = file_name(specification, OWN | {"processed_on": day, "file_number": f"{number:06d}"})
        data = codec.read_file(self.server.root / "to_union" / name, specification, day).data
        key = specification.data.key[0]
        return {row[key]: row for row in to_canonical(data, specification.data, specification, day).to_dicts()}

    def names(self) -> list[str]:
        """What is at the Union."""
        return sorted(path.name for path in (self.server.root / "to_union").iterdir())

    def answer(self, created: dt.date, answers: dict[str, str], number: int = 1) -> Result:
        """The Union's 受付結果 (file name -> accepted | rejected), applied."""
        specification = self.catalogue.in_force("reception_result", created)
        header = OWN | {"media_kind": "transmission", "created_on": created, "file_number": f"{number:06d}"}
        counts = {e.file_name: e.records for e in self.environment.ledger.entries(direction=Direction.OUTBOUND)}
        rows = [
            {
                "sent_file_name": name,
                "sent_record_count": f"{counts[name]:07d}",
                "reception_kind": kind,
                "reception_reason": "合成の理由" if kind == "rejected" else None,
                "created_on": created,
            }
            for name, kind in answers.items()
        ]
        frame = pl.DataFrame(rows, schema_overrides={"reception_reason": pl.String})
        encoded = codec.compose(specification, created, frame, header)
        assert encoded.problems.is_empty()
        leave(self.server.root / "from_union" / file_name(specification, header), encoded.data)
        return self.cli("run", "daily", "--date", created.isoformat(), "--only", "in")

    def pair(self, day: dt.date, number: int = 1) -> tuple[str, str]:
        """The names of a day's two files, household first."""
        household, individual = (
            file_name(
                self.catalogue.in_force(interface, day), OWN | {"processed_on": day, "file_number": f"{number:06d}"}
            )
            for interface in (HOUSEHOLD, INDIVIDUAL)
        )
        return household, individual

    @property
    def environment(self) -> Environment:
        return Environment.open(Settings.load(self.settings_path))

    def withheld(self, day: dt.date) -> dict[str, list[str]]:
        """The 要修正 list: codes by 宛名番号, or by 国保世帯番号 where a household waits alone."""
        found = self.environment.store.read("withheld_list", day.isoformat())
        return {row["resident_number"] or row["household_number"]: row["codes"] for row in found.iter_rows(named=True)}


def cells(village: Village, kind: str, heading: str, key: str, changed: dict[str, str]) -> None:
    """Write other values into a column of a day's extract, by key: as they came, not as we would write them."""
    path = next(path for path in (village.folder / "extracts").iterdir() if path.name.startswith(kind))
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    names = first.split(",")
    at, by = names.index(heading), names.index(key)
    rows = [line.split(",") for line in lines]
    for row in rows:
        row[at] = changed.get(row[by], row[at])
    path.write_bytes("\n".join([first, *map(",".join, rows), ""]).encode())
