"""The command line of a deployment whose Union is a folder on a real SFTP server, with a month's extracts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from fixtures.counterpart.delivery import leave
from fixtures.monthly_defects import HEADER
from interfaces import codec
from interfaces.catalogue import load_catalogue
from interfaces.naming import file_name
from pipelines.cli import main
from tests.support.deployment import benefit, household, opened, send_days, settings_file, write_extract
from tests.support.servers import OpenSshServer

MONTH = dt.date(2026, 4, 1)


NEW = "000000000000031"


class Desk:
    """The command line of a deployment whose Union is a folder on a real SFTP server."""

    def __init__(
        self, folder: Path, server: OpenSshServer, monkeypatch: pytest.MonkeyPatch, catalogue: Path | None = None
    ) -> None:
        self.folder, self.server = folder, server
        self.more = f'catalogue_folder = "{catalogue}"\n' if catalogue else ""
        self.more += (
            f'[sftp]\nhost = "{server.host}"\nport = {server.port}\nuser = "{server.user}"\n'
            f'private_key = "{server.private_key}"\nhost_key = "{server.host_key}"\n'
            f'to_union_folder = "{server.root}/to_union"\nfrom_union_folder = "{server.root}/from_union"\n'
        )
        monkeypatch.setenv("RENKEI_SETTINGS", str(settings_file(folder, (), self.more)))
        self.environment = opened(folder, switched_off=(), more=self.more)

    def run(self, *arguments: str) -> Result:
        result = CliRunner().invoke(main, list(arguments))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def deliver(self, interface: str, rows: list[dict[str, object]]) -> None:
        specification = load_catalogue().in_force(interface, MONTH)
        kinds = {item.id: pl.Date() if item.type.is_date else pl.String() for item in specification.data.items}
        used = {name: kind for name, kind in kinds.items() if any(name in row for row in rows)}
        content = codec.compose(specification, MONTH, pl.DataFrame(rows, schema=used), HEADER).data
        leave(self.server.root / "from_union" / file_name(specification, HEADER), content)


def prepared(desk: Desk, **tax: object) -> None:
    """Everything sent up to the cut-off, with the month's extracts. tax: what is otherwise in the person's tax record."""
    people = pl.DataFrame(
        {
            "resident_number": ["000000000000901"],
            "household_number": [NEW],
            "name": ["合成　太郎"],
            "head_kind": ["insured_head"],
            "born_on": [dt.date(1980, 1, 1)],
            "applied_on": [dt.date(2026, 4, 10)],
            "application_reason": ["moved_in_prefecture"],
            "ended_on": [None],
            "end_reason": [None],
        },
        schema_overrides={"ended_on": pl.Date, "end_reason": pl.String},
    )
    send_days(desk.environment, people)
    write_extract(desk.environment, "household_extract", [household(NEW)])
    write_extract(desk.environment, "benefit_extract", [benefit(NEW, "2026-04")])
    declared: dict[str, object] = {
        "declaration_kind": "declared",
        "base_income": "3000000",
        "resident_tax": "taxed",
        "taxable_income": "2000000",
        "receipts": "4000000",
        "low_income": "no",
    }
    record = {"resident_number": "000000000000901", "income_year": "2024", **declared, **tax}
    write_extract(desk.environment, "tax_extract", [record])
