"""Yesterday's backup over today's: noticed before anything leaves, in every combination, and put right without sending twice."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.torture.town import Outcome, Town, differences, town
from fixtures.world import NO_APPROVAL
from tests.support.processes import Done, renkei

WHY = ("--reason", "予備から戻した", "--by", "合成　操作者")
# The states that are kept: the first day is done; the second day's files are at the Union; it took them and answered; the
# second day is done and the third has come.
YESTERDAY, SENT, ANSWERED, TODAY = "yesterday", "sent", "answered", "today"


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("restoring") / "town", persons=300, sealed=False) as made:
        made.live(0)
        made.save(YESTERDAY)
        made.world.live(made.days[1])
        made.must(*made.day_out(1))
        made.save(SENT)
        made.world.night(made.days[1])
        made.save(ANSWERED)
        made.must(*made.day_in(1))
        made.world.live(made.days[2])
        made.save(TODAY)
        yield made


@pytest.fixture(scope="module")
def calm(lived: Town) -> Outcome:
    """The third day's end when nobody brought anything back."""
    lived.restore(TODAY)
    return third_day(lived)


@pytest.fixture
def place(lived: Town) -> Town:
    lived.configure()
    lived.restore(TODAY)
    return lived


def third_day(place: Town) -> Outcome:
    run(place, *place.day_out(2))
    place.world.night(place.days[2])
    run(place, *place.day_in(2))
    return place.outcome()[0]


def run(place: Town, *arguments: str, status: int = 0) -> str:
    done: Done = renkei(arguments, place.environment)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def bring_back_data(place: Town) -> None:
    shutil.rmtree(place.data)
    place.bring_back(YESTERDAY, place.data)


def bring_back_ledger(place: Town) -> None:
    # As docs/operations.md says: what is beside the ledger belongs to the ledger that was there.
    for left in place.data.glob("ledger.sqlite*"):
        left.unlink()
    place.bring_back(YESTERDAY, place.data / "ledger.sqlite")


def at_the_union(place: Town) -> list[str]:
    return sorted(path.name for path in place.to_union.iterdir())


def refused(place: Town, *arguments: str, code: str = "KR-6143") -> str:
    """A command that must end with a code, and after which nothing more is at the Union."""
    before = at_the_union(place)
    said = run(place, *arguments, status=2)
    assert said.count(code) >= 1, said
    assert at_the_union(place) == before
    return said


def references(place: Town) -> list[str]:
    found = renkei(("ledger", "unrecorded", "--json"), place.environment)
    assert found.returncode in (0, 1), found.stderr
    return [trace["reference"] for trace in json.loads(found.stdout)]


def test_the_ledger_alone_is_brought_back(place: Town, calm: Outcome) -> None:
    place.restore(TODAY)
    bring_back_ledger(place)
    assert "KR-6142" in run(place, "audit", "verify", status=1)
    traces = references(place)
    day = place.days[1].isoformat()
    assert sum(trace.startswith(f"outbox/{day}/") for trace in traces) == 2
    assert sum(trace.startswith("sent_log/") for trace in traces) == 2
    assert sum(trace.startswith("archive/") for trace in traces) == 4
    for number in (1, 2):
        refused(place, *place.day_out(number))
    refused(place, *place.day_out(2), "--confirm-loss", "試験")
    # The answers speak of the files sent, so these come first.
    refused(place, "ledger", "retake", *WHY)
    run(place, "ledger", "mark-sent", "--date", day, *WHY)
    refused(place, *place.day_out(2))
    assert run(place, "ledger", "retake", *WHY).count("検証済み") == 4
    run(place, *place.day_in(1))
    assert references(place) == []
    assert "不一致 0件" in run(place, "audit", "verify")
    assert differences(calm, third_day(place)) == []


@pytest.mark.parametrize("lost_since", ["sent log", "Union's folder", "Union's answer"])
def test_the_whole_data_folder_is_brought_back(place: Town, calm: Outcome, lost_since: str) -> None:
    """The Union's folder is emptied, or not yet, or its answers come: whatever is left shows the sending."""
    place.restore({"sent log": TODAY, "Union's folder": SENT, "Union's answer": ANSWERED}[lost_since])
    bring_back_data(place)
    if lost_since != "sent log":
        (place.folder / "data.sent.log").unlink()
    day = place.days[1].isoformat()
    if lost_since == "Union's answer":
        run(place, *place.day_in(1))
    where = {"sent log": "sent_log/", "Union's folder": "to_union/", "Union's answer": "answer/"}[lost_since]
    assert [reference.partition("/")[0] + "/" for reference in references(place)] == [where] * 2
    assert run(place, "audit", "verify", status=1).count("KR-6142") == 2
    # The files are made, compared with what is recorded of them, and are not sent.
    assert where in refused(place, *place.day_out(1))
    run(place, "ledger", "mark-sent", "--date", day, *WHY)
    assert references(place) == []
    assert "前に送ったとおり" in run(place, *place.day_out(1))
    assert len(place.recorded_as_sent(1)) == 2


def test_files_older_than_the_ledger_are_made_again_and_not_sent(place: Town, tmp_path: Path) -> None:
    """The ledger is elsewhere, as on PostgreSQL: only the data folder is yesterday's."""
    place.restore(TODAY)
    elsewhere = tmp_path / "ledger.sqlite"
    shutil.copy(place.data / "ledger.sqlite", elsewhere)
    place.configure(ledger_url=f"sqlite:///{elsewhere}")
    bring_back_data(place)
    said = run(place, "audit", "verify", status=1)
    assert said.count("KR-6401") == 2
    assert said.count("KR-6313") == 4
    refused(place, *place.day_out(2), code="KR-7207")
    assert "前に送ったとおり" in run(place, *place.day_out(1))
    assert at_the_union(place) == []
    assert "送付: 送付済み" in run(place, *place.day_out(2))
    assert {name.split("_")[2] for name in at_the_union(place)} == {f"{place.days[2]:%Y%m%d}"}
    assert "KR-6401" not in run(place, "audit", "verify", status=1)


def test_files_that_were_made_and_never_sent_are_sent_when_a_person_says_so(place: Town) -> None:
    place.restore(YESTERDAY)
    place.bring_back(TODAY, place.folder / "extracts")
    place.configure(port=9, sftp="attempts = 1")
    run(place, *place.day_out(1), status=2)
    bring_back_ledger(place)
    place.configure()
    refused(place, *place.day_out(1))
    traces = references(place)
    assert [trace.partition("/")[0] for trace in traces] == ["outbox"] * 2
    refused(place, "ledger", "dismiss", traces[0], "outbox/nothing", *WHY, code="KR-6145")
    assert references(place) == traces
    run(place, "ledger", "dismiss", *traces, *WHY)
    assert references(place) == []
    assert "送付: 送付済み" in run(place, *place.day_out(1))
    assert len(at_the_union(place)) == 2


def test_sent_files_are_not_replaced_by_files_made_now(place: Town) -> None:
    """The ledger is older, and the day's extract is another one meanwhile."""
    place.restore(TODAY)
    bring_back_ledger(place)
    day = place.days[1]
    extract = next((place.folder / "extracts").glob(f"resident*{day:%Y%m%d}*"))
    text = extract.read_text(encoding="utf-8")
    assert "合成　" in text
    extract.write_text(text.replace("合成　", "合成　訂正"), encoding="utf-8")
    table = place.data / "assets" / "sent_people" / f"{day}.parquet"
    before = table.read_bytes()
    refused(place, *place.day_out(1), "--confirm", "氏名の一括訂正", code="KR-6144")
    assert table.read_bytes() == before
    run(place, "ledger", "mark-sent", "--date", day.isoformat(), *WHY)
    assert "送付済み" in run(place, "ledger", "list", "--state", "送付済み")


def test_nothing_is_sent_when_it_could_not_be_recorded(place: Town, tmp_path: Path) -> None:
    place.restore(TODAY)
    text = place.settings.read_text(encoding="utf-8")
    place.settings.write_text(text.replace("[sftp]", f'sent_log = "{tmp_path}"\n[sftp]'), encoding="utf-8")
    refused(place, *place.day_out(2), code="KR-6146")
    assert at_the_union(place) == []
    place.configure()
    assert "送付: 送付済み" in run(place, *place.day_out(2))


def test_only_its_owner_reads_the_sent_log_and_it_says_names_and_hashes_only(place: Town) -> None:
    log = place.folder / "data.sent.log"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line]
    assert [set(line) for line in lines] == [{"partition", "file_name", "sha256"}] * 4
    log.write_text(log.read_text(encoding="utf-8") + '\n{"partition": "2026-0', encoding="utf-8")  # cut off by a crash
    assert references(place) == []


def test_the_union_cannot_be_reached(place: Town) -> None:
    """The audit goes on without it, and says so; the list is not called complete."""
    place.restore(TODAY)
    place.configure(port=9, sftp="attempts = 1")
    said = run(place, "audit", "verify")
    assert "連合会のフォルダは見ていません" in said
    assert "不一致 0件" in said
    assert "KR-6205" in run(place, "ledger", "unrecorded", status=2)


def test_a_strangers_name_at_the_union_is_no_trace(place: Town) -> None:
    place.restore(TODAY)
    for name in ("memo.txt", "KRKOJ_131041_20260402_000001.csv", ".KRKOJ_999997_20260409_000001.csv.0123456789ab.part"):
        (place.to_union / name).write_bytes(b"x")
    assert references(place) == []
    (place.to_union / "KRKOJ_999997_20260409_000001.csv").write_bytes(b"x")
    assert references(place) == ["to_union/KRKOJ_999997_20260409_000001.csv"]
    refused(place, *place.day_out(2))
    run(place, "ledger", "dismiss", "to_union/KRKOJ_999997_20260409_000001.csv", *WHY)
    assert "送付: 送付済み" in run(place, *place.day_out(2))


def test_a_first_load_that_was_approved_needs_no_second_approval_after_a_restore(place: Town) -> None:
    place.restore(TODAY)
    bring_back_ledger(place)
    text = place.settings.read_text(encoding="utf-8")
    place.settings.write_text(text.replace(NO_APPROVAL, "[approval]\npersons = 1\n"), encoding="utf-8")
    run(place, "ledger", "mark-sent", "--date", place.days[1].isoformat(), *WHY)
    assert str(place.days[1]) in run(place, "ledger", "list", "--state", "送付済み")
