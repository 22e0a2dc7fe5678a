"""One file that comes as several (ボリューム): judged together, and what does not belong together is told by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from interfaces.catalogue import Catalogue
from interfaces.lint import lint
from pipelines.cli import main
from schemas.normalise import NORMALISATIONS
from schemas.rules import registered_rules
from tests.support.layouts import Layout, Part

SEQUENCE = ("sequence", "数字", 4, "record_sequence")
LAYOUT = Layout(
    (
        Part(
            "control",
            "one",
            (
                ("mark", "英数", 1, "constant(1)"),
                SEQUENCE,
                ("volume", "数字", 3, "constant(001);same_as_file_name(volume)"),
                ("volumes", "数字", 3, ""),
                ("records", "数字", 4, "data_record_count"),
                ("total", "数字", 6, "sum_of(data.amount)"),
                ("office", "数字", 7, ""),
                ("file_day", "数字", 8, "same_as_file_name(file_day)"),
            ),
        ),
        Part(
            "data",
            "many",
            (
                ("mark", "英数", 1, "constant(2)"),
                SEQUENCE,
                ("resident_number", "数字", 10, ""),
                ("household_number", "数字", 4, ""),
                ("amount", "数字", 5, ""),
            ),
            'key = ["resident_number"]',
        ),
        Part("end", "one", (("mark", "英数", 1, "constant(3)"), SEQUENCE, ("state", "英数", 1, ""))),
    ),
    head='\n[volumes]\nnumber = "volume"\ncount = "volumes"\nlast = "state=E"\n',
    file_name="FOREIGN_{file_day}_{volume}.csv",
)
FIRST, SECOND, THIRD = (f"FOREIGN_20261001_00{number}.csv" for number in (1, 2, 3))
# Three volumes, five persons, 150 yen; household 0002 stands in the first and in the second.
SOUND = {
    FIRST: """
        1,0001,001,003,0005,000150,1310001,20261001
        2,0002,0000000001,0001,00010
        2,0003,0000000002,0002,00020
        3,0004,C""",
    SECOND: """
        1,0005,002,003,0005,000150,1310001,20261001
        2,0006,0000000003,0002,00030
        2,0007,0000000004,0003,00040
        3,0008,C""",
    THIRD: """
        1,0009,003,003,0005,000150,1310001,20261001
        2,0010,0000000005,0004,00050
        3,0011,E""",
}


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = LAYOUT.write(tmp_path_factory.mktemp("volumes") / "catalogue")
    assert lint(Catalogue(root), registered_rules(), NORMALISATIONS) == []
    return root


def command(catalogue: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["validate", *arguments, "--catalogue", str(catalogue)])


def files(folder: Path, texts: dict[str, str]) -> list[str]:
    paths = []
    for name, text in texts.items():
        lines = [line.strip() for line in text.strip().splitlines()]
        (folder / name).write_bytes("".join(f"{line}\r\n" for line in lines).encode("cp932"))
        paths.append(str(folder / name))
    return paths


def found(catalogue: Path, folder: Path, texts: dict[str, str]) -> list[dict[str, object]]:
    said = command(catalogue, *files(folder, texts), "--json")
    findings: list[dict[str, object]] = json.loads(said.stdout)["findings"]
    assert said.exit_code == (1 if findings else 0)
    return findings


def changed(name: str, old: str, new: str) -> dict[str, str]:
    assert SOUND[name].count(old) == 1
    return SOUND | {name: SOUND[name].replace(old, new)}


@pytest.mark.parametrize(
    "order", [(FIRST, SECOND, THIRD), (THIRD, FIRST, SECOND)], ids=["in order", "in another order"]
)
def test_volumes_are_one_sound_file_in_whatever_order_they_are_named(
    catalogue: Path, tmp_path: Path, order: tuple[str, ...]
) -> None:
    said = command(catalogue, *files(tmp_path, {name: SOUND[name] for name in order}))
    assert said.exit_code == 0, said.output
    assert "5件: 正しいファイルです" in said.output


# What is wrong -> the volumes, and of each finding its code, file, line and item.
JUDGED = {
    "a count is of all volumes": (
        changed(SECOND, ",0005,000150", ",0002,000150"),
        [("KR-4001", SECOND, 1, "records")],
    ),
    "a total is of all volumes": (changed(THIRD, "000150", "000050"), [("KR-4012", THIRD, 1, "total")]),
    "the record numbers run on": (changed(SECOND, "2,0006", "2,0002"), [("KR-3002", SECOND, 2, "sequence")]),
    "a key stands in two volumes": (
        changed(THIRD, "0000000005", "0000000001"),
        [("KR-3004", FIRST, 2, "resident_number"), ("KR-3004", THIRD, 2, "resident_number")],
    ),
    "a value of the second volume": (changed(SECOND, "00040", "0004X"), [("KR-2003", SECOND, 3, "amount")]),
    "a line that is no record": (
        changed(SECOND, "2,0007,0000000004,0003,00040", "2,0007"),
        [("KR-1012", SECOND, 3, None)],
    ),
    "a volume that cannot be read": (changed(THIRD, "3,0011,E", "9,0011,E"), [("KR-1015", THIRD, 3, None)]),
}


@pytest.mark.parametrize("case", JUDGED.values(), ids=JUDGED.keys())
def test_the_whole_is_judged_and_the_volume_and_its_own_line_named(
    catalogue: Path, tmp_path: Path, case: tuple[dict[str, str], list[tuple[object, ...]]]
) -> None:
    texts, wanted = case
    findings = found(catalogue, tmp_path, texts)
    assert [tuple(finding[name] for name in ("code", "file", "line", "item_name")) for finding in findings] == [
        (code, file, line, item and f"試験{item}") for code, file, line, item in wanted
    ]
    assert all(
        f"{file} {line}行目" in str(f["message"]) for f, (_, file, line, _) in zip(findings, wanted, strict=True)
    )


def without(*names: str) -> dict[str, str]:
    return {name: text for name, text in SOUND.items() if name not in names}


OTHER_DAY, AGAIN = "FOREIGN_20261002_002.csv", "FOREIGN_20261001_004.csv"
# The volumes, and of each KR-1038 the file that it names and what it says.
MISFITS = {
    "the second is missing": (without(SECOND), [("・".join((FIRST, THIRD)), "番号 2 のボリュームがありません")]),
    "the first is missing": (without(FIRST), [("・".join((SECOND, THIRD)), "番号 1 のボリュームがありません")]),
    "the last is missing": (
        without(THIRD),
        [
            ("・".join((FIRST, SECOND)), "番号 3 のボリュームがありません"),
            ("・".join((FIRST, SECOND)), "最後のボリューム（番号 2 より後）がありません"),
        ],
    ),
    "one alone": (
        without(FIRST, THIRD),
        [
            (SECOND, "番号 1・3 のボリュームがありません"),
            (SECOND, "最後のボリューム（番号 2 より後）がありません"),
        ],
    ),
    "one is of another day": (
        without(SECOND) | {OTHER_DAY: SOUND[SECOND].replace("20261001", "20261002")},
        [(OTHER_DAY, f"別のファイルのボリュームです。ファイル名が {FIRST} と合いません")],
    ),
    "one is of another file": (
        changed(SECOND, "1310001", "1310002"),
        [(SECOND, f"別のファイルのボリュームです。{FIRST} と値が違います")],
    ),
    "the name says another number": (
        without(SECOND) | {AGAIN: SOUND[SECOND]},
        [(AGAIN, "ファイル名の番号 004 が、中の番号 2 と違います")],
    ),
    "no number": (changed(SECOND, "002,003", "00X,003"), [(SECOND, "ボリュームの番号を読めません")]),
    "the end too early": (
        changed(SECOND, "3,0008,C", "3,0008,E"),
        [(SECOND, "最後のボリュームであると書かれていますが、後の番号のボリュームがあります")],
    ),
}


@pytest.mark.parametrize("case", MISFITS.values(), ids=MISFITS.keys())
def test_what_is_not_the_whole_of_one_file_is_told(
    catalogue: Path, tmp_path: Path, case: tuple[dict[str, str], list[tuple[str, str]]]
) -> None:
    texts, wanted = case
    findings = found(catalogue, tmp_path, texts)
    assert [(finding["code"], finding["file"], finding["expected"]) for finding in findings] == [
        ("KR-1038", file, text) for file, text in wanted
    ]


def test_a_volume_that_is_there_twice_is_told_at_both(catalogue: Path, tmp_path: Path) -> None:
    twice = command(catalogue, *files(tmp_path, SOUND), str(tmp_path / SECOND), "--json")
    findings = json.loads(twice.stdout)["findings"]
    text = f"番号 2 のボリュームがほかにもあります（{SECOND}）"
    assert [(f["code"], f["file"], f["line"], f["expected"]) for f in findings] == [("KR-1038", SECOND, 1, text)] * 2


def test_a_volume_beyond_the_last_one_is_told(catalogue: Path, tmp_path: Path) -> None:
    texts = {name: text.replace(",003,0005", ",002,0005") for name, text in SOUND.items()}
    findings = found(catalogue, tmp_path, texts)
    assert [(f["file"], f["expected"]) for f in findings] == [
        (THIRD, "番号 3 のボリュームがあるはずはありません（1から2まで）")
    ]


def test_a_damaged_count_names_ten_of_the_missing_volumes(catalogue: Path, tmp_path: Path) -> None:
    texts = {name: text.replace(",003,0005", ",999999999,0005") for name, text in SOUND.items()}
    [said] = [str(finding["expected"]) for finding in found(catalogue, tmp_path, texts)]
    assert said == "番号 4・5・6・7・8・9・10・11・12・13 など999999996件 のボリュームがありません"


def test_several_files_of_a_layout_without_volumes_are_not_judged_together(tmp_path: Path) -> None:
    catalogue = replace(LAYOUT, head="").write(tmp_path / "catalogue")
    said = command(catalogue, *files(tmp_path, SOUND))
    assert said.exit_code == 2
    assert "KR-1038" in said.output
    assert "一つずつ検証してください" in said.output


WRONG_TABLES = {
    "an unknown item": ('number = "nothing"', "nothing は、一度だけのレコードの項目でも"),
    "an item of the data": ('number = "amount"', "amount は、一度だけのレコードの項目でも"),
    "the mark of a record": ('number = "mark"', "mark は、レコードの種別を見分ける項目"),
    "an unknown key": ('number = "volume"\nsize = 1', "volumes.size というキーはありません（使えるキー: number・first"),
    "no number": ('number = "volume"\nfirst = "a"', "volumes.first の値の形が違います（整数）"),
}


@pytest.mark.parametrize("case", WRONG_TABLES.values(), ids=WRONG_TABLES.keys())
def test_lint_names_what_is_wrong_with_the_table(tmp_path: Path, case: tuple[str, str]) -> None:
    table, text = case
    catalogue = Catalogue(replace(LAYOUT, head=f"\n[volumes]\n{table}\n").write(tmp_path / "catalogue"))
    faults = lint(catalogue, registered_rules(), NORMALISATIONS)
    assert any(text in str(fault) for fault in faults), list(map(str, faults))


def test_lint_refuses_volumes_of_a_file_that_the_program_applies(tmp_path: Path) -> None:
    root = LAYOUT.write(tmp_path / "catalogue")
    applied = root / "verification_list/2020-01-01"
    applied.parent.mkdir()
    (root / "foreign/2020-01-01").rename(applied)
    toml = applied / "file.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace('id = "foreign"', 'id = "verification_list"'), "utf-8")
    faults = lint(Catalogue(root), registered_rules(), NORMALISATIONS)
    assert ["プログラムが反映せずに保管するファイルだけに置けます" in str(fault) for fault in faults] == [True]
