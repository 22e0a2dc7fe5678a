"""The effective-dated tables: sound as they are, and every fault that a person can put into them is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from interfaces.catalogue import DEFAULT_ROOT, Catalogue, load_catalogue
from pipelines.operations.reference_data import KEYS, lint_tables


def test_the_embedded_tables_are_sound() -> None:
    assert lint_tables(load_catalogue()) == []


def test_no_table_is_forgotten() -> None:
    dated = {
        f"{path.parent.name}/{path.stem}"
        for folder in ("continuity", "limits", "calendars", "retention", "worksheet", "persons", "media", "agreement")
        for path in (DEFAULT_ROOT / folder).glob("*.csv")
    }
    assert dated | {"municipalities"} == set(KEYS)


@pytest.mark.parametrize(
    ("table", "old", "new", "said"),
    [
        ("limits/limits", "2015-01-01,2026-08-01", "2015-01-01,2026-09-01", "class_a の行が2つ"),
        (
            "limits/limits",
            "under_70,class_o,,36900,,,24600,290000",
            "under_70,class_x,,36900,,,24600,290000",
            "class_o の行がありません",
        ),
        ("limits/limits", "2017-08-01,2018-08-01", "2018-08-01,2017-08-01", "終了日が開始日より後"),
        ("limits/limits", "252600", "二十五万", "として読めません"),
        ("limits/floors", "2015-01-01,2027-08-01", "2015-13-01,2027-08-01", "として読めません"),
        ("limits/income_exceptions", "receipts_of_one", "receipts_of_several", "receipts_of_several の行が2つ"),
        ("limits/income_exceptions", "1945-01-02", "昭和20年", "として読めません"),
        ("limits/minors", "330000", "三十三万", "として読めません"),
        ("limits/minors", "19,120000", "16,120000", "16 の行が2つ"),
        ("worksheet/marks", "〃,すべて", "〃,全部", "〃 の欄がすべて・名前でない"),
        ("worksheet/marks", "仝,", "々,", "々 の行が2つ"),
        ("continuity/criteria", "!same_head & unnamed_reason", "!same_haed & unnamed_reason", "KR-7108"),
        ("continuity/criteria", "U2,no_mover", "U1,no_mover", "U1 の行が2つ"),
        ("calendars/monthly", "2026-05-01,2026-05-13", "2026-05-14,2026-05-13", "順になっていません"),
        ("calendars/monthly", "2026-04,2026-04-30", "2026-04,2026-05-30", "順になっていません"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, table: str, old: str, new: str, said: str) -> None:
    root = Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "catalogue"))
    path = root / f"{table}.csv"
    text = path.read_text(encoding="utf-8-sig")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8-sig")
    found = [str(fault) for fault in lint_tables(Catalogue(root))]
    assert found
    assert all(fault.startswith((f"{table}.csv", "limits/", "codes/income_class")) for fault in found)
    assert any(said in fault for fault in found), found
