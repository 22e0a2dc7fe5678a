"""Small files for the tests of `schemas`, and specifications with one thing changed. All persons are synthetic."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from click.testing import CliRunner, Result

from fixtures.defects import DAY, HEADER, lines, sound_individuals
from interfaces import codec
from interfaces.catalogue import DEFAULT_ROOT, load_catalogue
from interfaces.naming import file_name
from interfaces.spec import FileLayout, Item, Specification
from pipelines.cli import main
from schemas.validate import FileContext, Validated, validate_file
from tests.support.deployment import settings_file

INDIVIDUAL = "eligibility_individual"
NAME = "KRKOJ_999997_20260401_000001.csv"
OURS = FileContext("999997", "990010", "99", DAY, NAME)
Change = Callable[[bytes], bytes]

__all__ = ["DAY", "INDIVIDUAL", "NAME", "OURS", "line", "lines", "sound_individuals"]


def specification(interface: str = INDIVIDUAL) -> Specification:
    return load_catalogue().in_force(interface, DAY)


def with_item(changed: Specification, item: str, kind: str = "data", **values: Any) -> Specification:
    """The specification with some columns of one item's row written differently."""

    def row(original: Item) -> Item:
        return replace(original, **values) if original.id == item else original

    return replace(
        changed,
        records=tuple(
            replace(record, items=tuple(map(row, record.items))) if record.kind == kind else record
            for record in changed.records
        ),
    )


def with_layout(changed: Specification, **values: Any) -> Specification:
    """The specification with some lines of file.toml written differently."""
    return replace(changed, layout=FileLayout.model_validate(changed.layout.model_dump() | values))


def line(number: int, old: str, new: str) -> Change:
    """Replace text in one line (1-based) of a CP932 file; the text must be there."""

    def change(data: bytes) -> bytes:
        rows = lines(data)
        before = rows[number - 1]
        rows[number - 1] = before.replace(old.encode("cp932"), new.encode("cp932"), 1)
        assert rows[number - 1] != before, "the change no longer fits the layout"
        return b"".join(rows)

    return change


def validated(
    folder: Path, data: bytes, changed: Specification | None = None, context: FileContext = OURS, name: str = NAME
) -> Validated:
    """Write the bytes as a file and validate it as the pipeline does."""
    path = folder / name
    path.write_bytes(data)
    return validate_file(path, changed or specification(), DAY, context)


def findings_with_layout(folder: Path, data: bytes, old: str, new: str) -> tuple[int, list[dict[str, Any]]]:
    """What `renkei validate` says of a file when its layout has `new` in place of `old`: exit status and findings."""
    result = validated_with_layout(folder, data, old, new)
    return result.exit_code, json.loads(result.stdout)["findings"]


def validated_with_layout(folder: Path, data: bytes, old: str, new: str) -> Result:
    """`renkei validate --json` of a file when its layout has `new` in place of `old`."""
    root = Path(shutil.copytree(DEFAULT_ROOT, folder / "catalogue"))
    layout = root / INDIVIDUAL / "2018-04-01" / "data.csv"
    text = layout.read_text(encoding="utf-8-sig")
    assert text.count(old) == 1, "the change no longer fits the layout"
    layout.write_text(text.replace(old, new), encoding="utf-8-sig")
    (folder / NAME).write_bytes(data)
    settings = settings_file(folder, more=f'catalogue_folder = "{root}"')
    runner = CliRunner(env={"RENKEI_SETTINGS": str(settings)})
    return runner.invoke(main, ["validate", str(folder / NAME), "--json"])


def seen(validated: Validated) -> list[tuple[str, int | None, str | None]]:
    """(code, line, item) of every finding."""
    return [(f["code"], f["line"], f["item"]) for f in validated.findings.iter_rows(named=True)]


def ids_from_the_union(ids: list[str], changed: Specification | None = None) -> bytes:
    """A 市町村被保険者ID連携ファイル with these identifiers."""
    count = len(ids)
    data = pl.DataFrame(
        {
            "resident_number": [f"{n:015d}" for n in range(101, 101 + count)],
            "municipal_insured_id": ids,
            "assigned_on": [DAY] * count,
        },
        schema={"resident_number": pl.String, "municipal_insured_id": pl.String, "assigned_on": pl.Date},
    )
    layout = changed or specification("municipal_id_linkage")
    return codec.compose(layout, DAY, data, HEADER | {"created_on": DAY}).data


def from_union(folder: Path, data: bytes, interface: str = "municipal_id_linkage") -> Validated:
    changed = specification(interface)
    name = file_name(changed, HEADER | {"created_on": DAY})
    return validated(folder, data, changed, replace(OURS, file_name=name), name)


def extract(folder: Path, interface: str, columns: dict[str, list[str]]) -> Validated:
    """An extract with these raw values; what is not given is what the item always contains, or blank."""
    changed = specification(interface)
    count = len(next(iter(columns.values())))
    always = {"municipality_code": "999997", "processed_on": DAY.isoformat()}
    rows = [",".join(item.name for item in changed.data.items)]
    for number in range(count):
        cells = (columns[i][number] if i in columns else always.get(i, "") for i in changed.data.item_ids)
        rows.append(",".join(f'"{cell}"' if " " in cell or not cell.isascii() else cell for cell in cells))
    name = file_name(changed, HEADER)
    data = ("\n".join(rows) + "\n").encode()
    return validated(folder, data, changed, replace(OURS, file_name=name), name)
