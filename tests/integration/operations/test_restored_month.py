"""A month's file that was sent before an older ledger was brought back: recorded again by a person, with its copy as the proof."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.continuity import monthly
from pipelines.deployment import Environment
from pipelines.exchange.batch import Batch
from pipelines.exchange.transport import LocalFolderTransport
from pipelines.transfer.sending import outbox
from tests.support.applying import apply_monthly
from tests.support.candidates import listed
from tests.support.deployment import MONTH, fill, opened, type_in

WHY = ("--month", "2026-04", "--reason", "予備から戻した", "--by", "合成　操作者")


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An instruction was sent; then the ledger of before was brought back."""
    made = opened(tmp_path, switched_off=("continuity_candidates",))
    monkeypatch.setenv("RENKEI_SETTINGS", str(tmp_path / "renkei.toml"))
    type_in(made, "continuity_candidates", listed("whole_household_moves", "member_moves_out_alone"), tmp_path)
    apply_monthly(made)
    path = monthly.make_worksheet(made, MONTH).path
    monthly.import_worksheet(made, fill(path))
    made.ledger.close()
    shutil.copy(tmp_path / "data" / "ledger.sqlite", tmp_path / "kept.sqlite")
    file, _ = monthly.build_instruction(made, MONTH)
    assert file is not None
    (tmp_path / "union").mkdir()
    batch = Batch(MONTH, (file,), carried_by_later=False)
    outbox(made).send(batch, LocalFolderTransport(tmp_path / "union"))
    made.ledger.close()
    for left in (tmp_path / "data").glob("ledger.sqlite*"):
        left.unlink()
    shutil.copy(tmp_path / "kept.sqlite", tmp_path / "data" / "ledger.sqlite")
    return made


def renkei(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(main, ["ledger", *arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_the_month_is_recorded_as_sent_once(environment: Environment) -> None:
    said = renkei("unrecorded", status=1)
    assert "送付の控え outbox/2026-04-01/" in said
    assert "送付の控え帳 sent_log/KRKKS_999997_202604_000001.csv/" in said
    assert "台帳にないもの 2件" in said
    assert "KRKKS_999997_202604_000001.csv: 送付済み" in renkei("mark-sent", *WHY)
    assert "台帳にないもの 0件" in renkei("unrecorded")
    entry = environment.ledger.current_entries(MONTH, {monthly.INSTRUCTION})[monthly.INSTRUCTION]
    assert (entry.state, entry.records, entry.baseline, entry.snapshot_sha256) == ("sent", 2, None, None)
    assert environment.file_store.matches(
        next((environment.settings.data_folder / "outbox" / "2026-04-01").iterdir()), str(entry.sha256)
    )
    assert "KR-6147" in renkei("mark-sent", *WHY, status=2)
    assert environment.ledger.verify_chain() == []


def test_without_its_copy_nobody_can_say_what_was_sent(environment: Environment) -> None:
    shutil.rmtree(environment.settings.data_folder / "outbox")
    assert "KR-6115" in renkei("mark-sent", *WHY, status=2)
    assert "台帳にないもの 1件" in renkei("unrecorded", status=1)


def test_two_copies_of_one_name_are_not_guessed_at(environment: Environment) -> None:
    (copy,) = (environment.settings.data_folder / "outbox" / "2026-04-01").iterdir()
    other = copy.with_name("0" * 12 + copy.name[12:])
    environment.file_store.put(other, b"other content")
    assert "KR-6144" in renkei("mark-sent", *WHY, status=2)
    reference = other.relative_to(environment.settings.data_folder).as_posix()
    renkei("dismiss", reference, "--reason", "送っていない", "--by", "合成　操作者")
    assert "KRKKS_999997_202604_000001.csv: 送付済み" in renkei("mark-sent", *WHY)


def test_a_day_or_a_month_but_not_both(environment: Environment) -> None:
    assert "--date か --month" in renkei("mark-sent", "--reason", "試験", status=2)
    assert "--date か --month" in renkei("mark-sent", *WHY, "--date", f"{dt.date(2026, 4, 1)}", status=2)
