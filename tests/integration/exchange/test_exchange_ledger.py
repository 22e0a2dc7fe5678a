"""The ledger on both databases: moves, races, the chain, the baseline."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from interfaces.messages import RenkeiError
from pipelines.exchange.ledger.entry import Entry, OutboundFacts
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.states import TRANSITIONS, Direction, EntryState, LedgerEvent
from tests.support.exchange import HOUSEHOLD, INDIVIDUAL, MONDAY, TUESDAY, WEDNESDAY, noon

ME = ("test-operator", "run-1")


def enter(ledger: Ledger, partition: date, interface: str, baseline: date | None = None) -> Entry:
    name = f"{interface}-{partition:%Y%m%d}.csv"
    facts = OutboundFacts(interface, partition, name, "ab" * 32, 12, 3, baseline, "cd" * 32)
    return ledger.recorder(*ME).create_outbound_entry(facts)


def transition(ledger: Ledger, entry: Entry, state: str, **more: Any) -> Entry:
    return ledger.recorder(*ME).transition(entry, EntryState(state), **more)


def send(ledger: Ledger, partition: date, interface: str, baseline: date | None = None) -> Entry:
    entry = enter(ledger, partition, interface, baseline)
    for state in ("sending", "uploaded", "sent"):
        entry = transition(ledger, entry, state)
    return entry


def send_pair(ledger: Ledger, partition: date, baseline: date | None = None) -> list[Entry]:
    return [send(ledger, partition, interface, baseline) for interface in (HOUSEHOLD, INDIVIDUAL)]


def code_of(action: Any) -> str:
    with pytest.raises(RenkeiError) as caught:
        action()
    return caught.value.code


def test_every_step_of_an_entry_is_an_event(any_url: str) -> None:
    ledger = Ledger(any_url, noon)
    entry = send(ledger, MONDAY, HOUSEHOLD)
    assert (entry.state, entry.partition, entry.size, entry.baseline) == ("sent", MONDAY, 12, None)
    events = ledger.events(entry.id)
    assert [event.action for event in events] == ["written", "sending", "uploaded", "sent"]
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert {event.at for event in events} == {"2026-04-08T12:00:00+09:00"}
    assert {(event.operator, event.run_id) for event in events} == {("test-operator", "run-1")}
    assert ledger.verify_chain() == []
    ledger.close()
    again = Ledger(any_url, noon)
    assert again.entry(entry.id) == entry
    again.close()


def test_illegal_moves_are_refused_and_leave_no_trace(any_url: str) -> None:
    ledger = Ledger(any_url, noon)
    entry = enter(ledger, MONDAY, HOUSEHOLD)
    for state in ("sent", "uploaded", "accepted", "verified", "nonsense"):
        assert code_of(lambda to=state: transition(ledger, entry, to)) == "KR-6101"
    with pytest.raises(RenkeiError, match=r"作成済み.*受付済み"):
        transition(ledger, entry, "accepted")
    assert code_of(lambda: transition(ledger, replace(entry, id=999), "sent")) == "KR-6103"
    assert code_of(lambda: ledger.recorder(" ").transition(entry, EntryState.SENDING)) == "KR-6104"
    assert code_of(lambda: transition(ledger, entry, "sending", reason=" 　")) == "KR-6312"
    assert (
        code_of(lambda: ledger.recorder(*ME).append_event(LedgerEvent.KEY_RETIRED, reason="番号 1234-5678-9018 の人"))
        == "KR-6314"
    )
    assert ledger.entry(entry.id).state == "written"
    assert len(ledger.events()) == 1
    ledger.close()


def test_the_moves_are_those_of_the_design() -> None:
    outbound, inbound = TRANSITIONS[Direction.OUTBOUND], TRANSITIONS[Direction.INBOUND]
    assert outbound[EntryState.SENT] == {"accepted", "rejected", "recalled"}
    assert "sent" not in outbound[EntryState.WRITTEN] | outbound[EntryState.SEALED] | outbound[EntryState.SENDING]
    for end in ("accepted", "rejected", "superseded", "withdrawn", "recalled"):
        assert end not in outbound
    for end in ("applied", "rejected", "duplicate", "closed"):
        assert end not in inbound
    assert inbound[EntryState.QUARANTINED] == {"released", "kept", "rejected"}
    assert inbound[EntryState.STALE] == {"released", "rejected"}
    assert inbound[EntryState.RELEASED] == {"applied"}
    assert inbound[EntryState.KEPT] == {"closed"}


def test_when_two_processes_advance_the_same_entry_one_loses(any_url: str) -> None:
    ledger = Ledger(any_url, noon)
    entry = enter(ledger, MONDAY, HOUSEHOLD)

    def try_it(_: int) -> str:
        try:
            other = Ledger(any_url, noon)
            transition(other, entry, "sending", expected=EntryState.WRITTEN)
            other.close()
        except RenkeiError as error:
            return error.code
        return "won"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(try_it, range(4))) == ["KR-6102"] * 3 + ["won"]
    assert [event.action for event in ledger.events(entry.id)] == ["written", "sending"]
    ledger.close()


def test_expected_state_guards_against_a_stale_view(ledger: Ledger) -> None:
    entry = enter(ledger, MONDAY, HOUSEHOLD)
    transition(ledger, entry, "sending")
    assert code_of(lambda: transition(ledger, entry, "uploaded", expected=EntryState.WRITTEN)) == "KR-6102"


def test_writers_in_several_processes_keep_one_chain(any_url: str) -> None:
    program = (
        "import sys\n"
        "from pipelines.exchange.ledger.ledger import Ledger\n"
        "recorder = Ledger(sys.argv[1]).recorder('test-operator')\n"
        "for number in range(15):\n"
        "    recorder.append_event('counted', number=number)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, any_url]) for _ in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    ledger = Ledger(any_url, noon)
    assert [event.sequence for event in ledger.events()] == list(range(1, 46))
    assert ledger.verify_chain() == []
    ledger.close()


def test_a_transaction_of_the_caller_is_all_or_nothing(any_url: str) -> None:
    ledger = Ledger(any_url, noon)
    entry = ledger.recorder(*ME).create_inbound_entry("a.csv")
    with pytest.raises(ZeroDivisionError), ledger.recorder(*ME).transaction() as work:
        work.transition(entry, EntryState.CLAIMED)
        work.connection.execute(sa.text("CREATE TABLE applied_rows (line INTEGER)"))
        raise ZeroDivisionError
    assert ledger.entry(entry.id).state == "detected"
    with ledger.recorder(*ME).transaction() as work:
        work.connection.execute(sa.text("CREATE TABLE applied_rows (line INTEGER)"))
        work.connection.execute(sa.text("INSERT INTO applied_rows VALUES (1)"))
        work.transition(entry, EntryState.CLAIMED)
    assert ledger.entry(entry.id).state == "claimed"
    ledger.close()


def test_a_unit_of_work_reads_what_it_wrote_and_nobody_else_does(any_url: str) -> None:
    ledger = Ledger(any_url, noon)
    entry = send(ledger, MONDAY, HOUSEHOLD)
    with ledger.recorder(*ME).transaction() as work:
        work.transition(entry, EntryState.RECALLED)
        with work.transaction() as same:
            same.append_event(LedgerEvent.TYPED)
        assert (work.entry(entry.id).state, ledger.entry(entry.id).state) == ("recalled", "sent")
        assert (len(work.events()), len(ledger.events())) == (6, 4)
        assert (work.effective_baseline(), ledger.effective_baseline()) == (None, MONDAY)
    assert [event.action for event in ledger.events()][4:] == ["recalled", "typed"]
    assert {(event.operator, event.run_id) for event in ledger.events()} == {ME}
    ledger.close()


def test_what_arrives_is_known_little_by_little_and_never_overwritten(ledger: Ledger) -> None:
    entry = ledger.recorder(*ME).create_inbound_entry("a.csv")
    transition(ledger, entry, "claimed")
    entry = transition(ledger, entry, "received", sha256="ef" * 32, size=5)
    entry = transition(ledger, entry, "verified", interface="x", partition=TUESDAY, sha256="00" * 32)
    assert (entry.sha256, entry.size, entry.interface, entry.partition) == ("ef" * 32, 5, "x", TUESDAY)


def test_history_cannot_be_changed_through_the_database(any_url: str) -> None:
    ledger = Ledger(any_url, noon)
    enter(ledger, MONDAY, HOUSEHOLD)
    for change in ("UPDATE events SET operator = 'x'", "DELETE FROM events"):
        with pytest.raises(DBAPIError, match="append-only"), ledger.recorder(*ME).transaction() as work:
            work.connection.execute(sa.text(change))
    assert ledger.verify_chain() == []
    ledger.close()


@pytest.mark.parametrize(
    ("tampering", "codes"),
    [
        ("UPDATE events SET operator = 'someone' WHERE sequence = 2", {"KR-6121"}),
        ("UPDATE events SET detail = '{\"size\":1}' WHERE sequence = 3", {"KR-6121"}),
        ("DELETE FROM events WHERE sequence = 2", {"KR-6122"}),
        ("DELETE FROM events WHERE sequence = 4", {"KR-6123"}),
        ("UPDATE entries SET state = 'accepted'", {"KR-6123"}),
        ("UPDATE entries SET sha256 = 'ff'", {"KR-6123"}),
        ("UPDATE entries SET baseline = '2026-04-01'", {"KR-6123"}),
        ("DELETE FROM entries", {"KR-6123"}),
    ],
)
def test_tampering_that_goes_around_the_triggers_is_found(sqlite_url: str, tampering: str, codes: set[str]) -> None:
    ledger = Ledger(sqlite_url, noon)
    send(ledger, TUESDAY, HOUSEHOLD, MONDAY)
    assert ledger.verify_chain() == []
    ledger.close()
    raw = sqlite3.connect(str(sa.make_url(sqlite_url).database))
    raw.executescript(f"DROP TRIGGER events_keep_text; DROP TRIGGER events_keep_rows; {tampering};")
    raw.close()
    ledger = Ledger(sqlite_url, noon)
    problems = ledger.verify_chain()
    assert {problem.code for problem in problems} == codes
    assert all("（不明）" not in problem.text for problem in problems)
    ledger.close()


def test_a_row_with_a_hash_of_its_own_breaks_the_chain_after_it(sqlite_url: str) -> None:
    from pipelines.exchange.ledger.chain import row_hash

    ledger = Ledger(sqlite_url, noon)
    send(ledger, TUESDAY, HOUSEHOLD)
    ledger.close()
    raw = sqlite3.connect(str(sa.make_url(sqlite_url).database))
    raw.row_factory = sqlite3.Row
    raw.execute("DROP TRIGGER events_keep_text")
    row = dict(raw.execute("SELECT * FROM events WHERE sequence = 2").fetchone()) | {"operator": "someone"}
    raw.execute("UPDATE events SET operator = ?, row_hash = ? WHERE sequence = 2", (row["operator"], row_hash(row)))
    raw.commit()
    raw.close()
    ledger = Ledger(sqlite_url, noon)
    assert [(problem.code, problem.sequence) for problem in ledger.verify_chain()] == [("KR-6122", 3)]
    ledger.close()


def test_the_hash_of_a_row_is_as_documented() -> None:
    # Worked out by hand with sha256sum over the canonical text.
    from pipelines.exchange.ledger.chain import row_hash

    row = {
        "sequence": 1,
        "entry_id": None,
        "kind": "noted",
        "action": "見本",
        "at": "2026-04-08T12:00:00+09:00",
        "run_id": None,
        "operator": "o",
        "detail": "{}",
        "previous_hash": "0" * 64,
    }
    assert row_hash(row) == "b646fda629d8e3515285f9a86f7027880637acd4cba99ccbbe592940fab22994"


def test_the_baseline_is_the_last_day_that_was_sent_whole(any_url: str) -> None:
    ledger = Ledger(any_url, noon)
    assert ledger.effective_baseline() is None
    send_pair(ledger, MONDAY)
    assert ledger.effective_baseline() == MONDAY
    send(ledger, TUESDAY, HOUSEHOLD, MONDAY)
    individual = enter(ledger, TUESDAY, INDIVIDUAL, MONDAY)
    assert ledger.effective_baseline() == MONDAY
    for state in ("sending", "uploaded"):
        transition(ledger, individual, state)
        assert ledger.effective_baseline() == MONDAY
    transition(ledger, individual, "sent")
    assert ledger.effective_baseline() == TUESDAY
    assert ledger.effective_baseline(before=TUESDAY) == MONDAY
    assert ledger.effective_baseline(before=MONDAY) is None
    ledger.close()


def test_a_rejected_day_takes_the_days_built_upon_it_with_it(ledger: Ledger) -> None:
    sunday = date(2026, 4, 5)
    send_pair(ledger, sunday)
    monday = send_pair(ledger, MONDAY, baseline=sunday)
    tuesday = send_pair(ledger, TUESDAY, baseline=MONDAY)
    for entry in tuesday:
        transition(ledger, entry, "accepted")
    transition(ledger, monday[0], "accepted")
    assert ledger.effective_baseline() == TUESDAY
    transition(ledger, monday[1], "rejected")
    assert ledger.effective_baseline() == sunday
    send_pair(ledger, WEDNESDAY, baseline=sunday)
    assert ledger.effective_baseline() == WEDNESDAY


def test_a_withdrawn_file_does_not_count_and_a_superseded_one_does(ledger: Ledger) -> None:
    withdrawn = enter(ledger, MONDAY, HOUSEHOLD)
    transition(ledger, withdrawn, "withdrawn")
    send_pair(ledger, MONDAY)
    assert ledger.effective_baseline() == MONDAY
    send(ledger, TUESDAY, HOUSEHOLD, MONDAY)
    transition(ledger, enter(ledger, TUESDAY, INDIVIDUAL, MONDAY), "superseded")
    assert ledger.effective_baseline() == MONDAY


def test_other_families_of_files_do_not_disturb_the_baseline(ledger: Ledger) -> None:
    send_pair(ledger, MONDAY)
    send(ledger, WEDNESDAY, "income_class")
    pair = {HOUSEHOLD, INDIVIDUAL}
    assert ledger.effective_baseline(interfaces=pair) == MONDAY
    assert ledger.later_sent(MONDAY, pair) is None
    assert ledger.later_sent(MONDAY) == WEDNESDAY


def test_later_sent_includes_what_may_have_been_renamed(ledger: Ledger) -> None:
    entry = enter(ledger, WEDNESDAY, HOUSEHOLD)
    transition(ledger, entry, "sending")
    assert ledger.later_sent(MONDAY) is None
    transition(ledger, entry, "uploaded")
    assert ledger.later_sent(MONDAY) == WEDNESDAY
    assert ledger.later_sent(WEDNESDAY) is None


def test_a_partition_and_interface_have_one_current_entry(ledger: Ledger) -> None:
    entry = enter(ledger, MONDAY, HOUSEHOLD)
    assert code_of(lambda: enter(ledger, MONDAY, HOUSEHOLD)) == "KR-6106"
    transition(ledger, entry, "withdrawn")
    assert enter(ledger, MONDAY, HOUSEHOLD).id != entry.id


def test_the_ledger_file_is_for_its_owner_alone(sqlite_url: str) -> None:
    mask = os.umask(0)
    try:
        ledger = Ledger(sqlite_url, noon)
        enter(ledger, MONDAY, HOUSEHOLD)
        folder = Path(str(sa.make_url(sqlite_url).database)).parent
        assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
            "ledger.sqlite": 0o600,
            "ledger.sqlite-wal": 0o600,
            "ledger.sqlite-shm": 0o600,
        }
        ledger.close()
    finally:
        os.umask(mask)


@pytest.mark.parametrize("url", ["nonsense", "oracle+nothing://x", "postgresql+psycopg2://u:secret@127.0.0.1:1/x"])
def test_a_ledger_that_cannot_be_opened_says_so_without_the_password(url: str) -> None:
    with pytest.raises(RenkeiError) as caught:
        Ledger(url, noon)
    assert caught.value.code == "KR-6105"
    assert "secret" not in caught.value.for_people()


def test_a_ledger_that_should_be_there_is_not_created(any_url: str) -> None:
    for _ in range(2):
        with pytest.raises(RenkeiError, match="KR-6107"):
            Ledger(any_url, noon, create_if_missing=False)
    Ledger(any_url, noon).close()
    Ledger(any_url, noon, create_if_missing=False).close()
