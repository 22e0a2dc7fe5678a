"""Nothing invalid ever leaves, of whatever record kind; what can be withheld is withheld."""

from __future__ import annotations

import csv
import datetime as dt
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from interfaces.catalogue import DEFAULT_ROOT, load_catalogue
from schemas import soundness
from tests.support.paths import ROOT
from tests.support.servers import OpenSshServer
from tests.support.village import HOUSEHOLD, INDIVIDUAL, Village, home, person

DAY, NEXT = dt.date(2026, 4, 1), dt.date(2026, 4, 2)
Rows = list[dict[str, str]]


def changed(path: Path, change: Callable[[Rows], Rows]) -> None:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys())
        writer.writeheader()
        writer.writerows(change(rows))


def unfilled(rows: Rows) -> Rows:
    """A 必須 item that nobody fills."""
    own = {
        "項番": str(len(rows) + 1),
        "項目名": "担当課",
        "id": "section",
        "属性": "数字",
        "バイト数": "3",
        "必須": "必須",
    }
    return [*rows, dict.fromkeys(rows[0], "") | own | {"秘匿区分": "公開", "出典": "assumed"}]


def shorter(rows: Rows) -> Rows:
    """保険者番号 of four digits: ours has six."""
    return [row | ({"バイト数": "4"} if row["id"] == "insurer_number" else {}) for row in rows]


def fixed(folder: Path) -> None:
    """The interface's records in fixed length."""
    plan = folder / "file.toml"
    text = plan.read_text(encoding="utf-8").replace('kind = "csv"', 'kind = "fixed"')
    plan.write_text(re.sub(r"quote = .*\n", "", text), encoding="utf-8")
    for kind in ("control", "data", "end"):

        def placed(rows: Rows) -> Rows:
            starts = [1 + sum(int(row["バイト数"]) for row in rows[:number]) for number in range(len(rows))]
            return [row | {"開始位置": str(start)} for row, start in zip(rows, starts, strict=True)]

        changed(folder / f"{kind}.csv", placed)


@pytest.fixture
def village_of(tmp_path: Path, openssh_server: OpenSshServer) -> Callable[[Callable[[Path], None]], Village]:
    """A village with a catalogue of its own, in which something was changed."""

    def made(change: Callable[[Path], None]) -> Village:
        root = tmp_path / "catalogue"
        shutil.copytree(DEFAULT_ROOT, root)
        change(root)
        village = Village(tmp_path, openssh_server, f'catalogue_folder = "{root}"\n')
        village.catalogue = load_catalogue(root)
        village.add(1, 11, 12)
        village.add(2, 21)
        return village

    return made


@pytest.fixture
def unlinted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lint finds nothing: what it may not know is still not sent."""
    monkeypatch.setattr(soundness, "_in_force", lambda *_: ())


@pytest.mark.parametrize("kind", ["control", "end"])
def test_a_record_of_our_own_with_an_item_that_nothing_fills_stops_the_day(
    village_of: Callable[[Callable[[Path], None]], Village], kind: str
) -> None:
    village = village_of(lambda root: changed(root / INDIVIDUAL / "2018-04-01" / f"{kind}.csv", unfilled))
    result = village.send(DAY)
    assert result.exit_code == 2
    assert "KR-7132 eligibility_individual の仕様（2018-04-01）に誤り" in result.output
    assert "項番" in result.output and "section" in result.output
    assert village.names() == []


@pytest.mark.usefixtures("unlinted")
@pytest.mark.parametrize(
    ("interface", "kind", "change", "code"),
    [
        (INDIVIDUAL, "control", unfilled, "KR-2001"),
        (HOUSEHOLD, "control", shorter, "KR-2002"),
        (INDIVIDUAL, "end", unfilled, "KR-2001"),
    ],
)
def test_a_file_whose_own_records_are_wrong_is_not_sent(
    village_of: Callable[[Callable[[Path], None]], Village],
    interface: str,
    kind: str,
    change: Callable[[Rows], Rows],
    code: str,
) -> None:
    village = village_of(lambda root: changed(root / interface / "2018-04-01" / f"{kind}.csv", change))
    result = village.send(DAY)
    assert result.exit_code == 2
    assert f"KR-7206 作った {interface} に誤りが残っています（{code}）" in result.output
    assert village.names() == []
    assert village.environment.ledger.entries() == []
    assert not list((village.folder / "data" / "outbox").rglob("*.p7m"))


def test_a_file_whose_control_record_cannot_be_written_is_not_sent(
    village_of: Callable[[Callable[[Path], None]], Village],
) -> None:
    def change(root: Path) -> None:
        changed(root / INDIVIDUAL / "2018-04-01" / "control.csv", shorter)
        fixed(root / INDIVIDUAL / "2018-04-01")

    village = village_of(change)
    result = village.send(DAY)
    assert result.exit_code == 2
    assert "KR-7206 作った eligibility_individual に誤りが残っています（KR-2002）" in result.output
    assert village.names() == []


@pytest.mark.parametrize(("characters", "withheld"), [(49, False), (50, False), (51, True)])
def test_a_name_too_long_for_a_fixed_length_record_is_withheld(
    village_of: Callable[[Callable[[Path], None]], Village], characters: int, withheld: bool
) -> None:
    """The name has 100 bytes, that is 50 characters."""
    village = village_of(lambda root: fixed(root / INDIVIDUAL / "2018-04-01"))
    village.residents[person(12)]["name"] = "合" * characters
    village.residents[person(21)]["name"] = "合成　　"
    result = village.send(DAY)
    assert result.exit_code == 0, result.output
    assert set(village.sent(DAY)) == {person(21)} | (set() if withheld else {person(11), person(12)})
    assert village.withheld(DAY) == ({person(11): [], person(12): ["KR-2002"]} if withheld else {})
    assert village.send(NEXT).exit_code == 0
    assert village.sent(NEXT) == {}, "blanks at the end are no part of a fixed-length value"


@pytest.mark.usefixtures("unlinted")
def test_a_file_that_reads_back_differently_is_not_sent(
    village_of: Callable[[Callable[[Path], None]], Village],
) -> None:
    """Two 外字 of one 外字番号: what is written as one of them is read as the other."""

    def twin(rows: Rows) -> Rows:
        (own,) = [row for row in rows if row["値"] == "F040"]
        return [*rows, own | {"文字": "U+20BB8", "名前": "同じ番号の別の字"}]

    village = village_of(lambda root: changed(root / "characters" / "union_cp932.csv", twin))
    village.residents[person(12)]["name"] = "𠮷　合成"
    result = village.send(DAY)
    assert result.exit_code == 2
    assert "KR-7205 eligibility_individual を読み返すと書いた表と data が違います" in result.output
    assert village.names() == []
    assert home(1) not in result.output


def test_a_file_to_send_is_made_in_one_place() -> None:
    """`sending.publish` proves it, `sending.published` finds again what it left; `restoring` names what has left already."""
    root = ROOT / "pipelines"
    makers = {
        path.name
        for path in root.rglob("*.py")
        if re.search(r"\bOutboundFile\($", path.read_text(), re.M)
        or re.search(r"= OutboundFile\(|return OutboundFile\(", path.read_text())
    }
    assert makers == {"sending.py", "restoring.py"}
