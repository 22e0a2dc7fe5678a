"""A small part of `make torture`: one harm of each kind, a clear answer to it, and everything right after one more run."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.line import line
from fixtures.sftp_server import Faults, serve
from fixtures.torture.lines import SHORT
from fixtures.torture.local import DAY_SECONDS, filled, size_of, small_disk
from fixtures.torture.town import Outcome, Town, differences, town

BEFORE_OUT, BEFORE_IN = "before out", "before in"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town on its second business day, saved before it sends and before it receives."""
    with town(tmp_path_factory.mktemp("town") / "town", persons=400) as found:
        found.live(0)
        found.world.live(found.days[1])
        found.save(BEFORE_OUT)
        found.must(*found.day_out(1))
        found.world.night(found.days[1])
        found.save(BEFORE_IN)
        yield found


@pytest.fixture(scope="module")
def calm(place: Town) -> Outcome:
    """What an undisturbed sending leaves."""
    place.restore(BEFORE_OUT)
    return place.outcome(place.day_out(1))[0]


@pytest.fixture(autouse=True)
def sound(place: Town) -> Iterator[None]:
    """Every test begins before the sending, with a sound server, and leaves one."""
    place.restore(BEFORE_OUT)
    yield
    vars(place.faults).update(vars(Faults()))
    place.configure()


def put_right(place: Town, calm: Outcome) -> list[str]:
    """Everything sound again, run once more: what still differs."""
    vars(place.faults).update(vars(Faults()))
    place.configure()
    return differences(calm, place.outcome(place.day_out(1))[0])


@pytest.mark.parametrize("effect", ["sftp\trename", "ledger\tUPDATE entries SET, uploaded"])
def test_a_kill_just_before_an_effect(place: Town, calm: Outcome, effect: str) -> None:
    place.must(*place.day_out(1))
    number = next(n for n, line in enumerate(place.effects(), start=1) if line.startswith(effect))
    place.restore(BEFORE_OUT)
    (killed,) = place.run(place.day_out(1), stop_before=number)
    assert killed.status == -signal.SIGKILL
    assert place.effects()[-1].startswith(effect)
    assert put_right(place, calm) == []


def test_a_kill_after_the_files_were_applied_still_leaves_the_day_its_linkage_state(place: Town) -> None:
    place.restore(BEFORE_IN)
    place.must(*place.day_in(1))
    state = place.data / "assets" / "linkage_state" / f"{place.days[1]}.parquet"
    effects = place.effects()
    written = next(
        n
        for n, effect in enumerate(effects, 1)
        if "rename" in effect and effect.endswith(f"linkage_state/{state.name}")
    )
    place.restore(BEFORE_IN)
    place.run(place.day_in(1), stop_before=written)
    assert not state.exists()
    place.must(*place.day_in(1))
    assert state.exists()


def test_a_line_that_is_cut_or_goes_silent(place: Town, calm: Outcome) -> None:
    with line(place.server.host, place.server.port) as wire:
        for harm, at in (("cut", 3000), ("silent", 3000)):
            place.restore(BEFORE_OUT)
            place.configure(port=wire.port, sftp=f"{SHORT}\nattempts = 1")
            wire.harms("up", at, harm)  # type: ignore[arg-type]
            assert place.run(place.day_out(1))[0].code == "KR-6205"
            assert put_right(place, calm) == []


def test_a_server_with_another_key_is_called_once(place: Town, calm: Outcome, tmp_path: Path) -> None:
    with serve(place.union, tmp_path) as stranger, line(stranger.host, stranger.port) as wire:
        place.configure(port=wire.port, sftp="attempts = 3\nfirst_pause_seconds = 0.05")
        assert place.run(place.day_out(1))[0].code == "KR-6201"
        assert wire.connections == 1
    assert put_right(place, calm) == []


def test_a_server_that_says_it_renamed_is_not_believed(place: Town, calm: Outcome) -> None:
    place.faults.forgets_names = True
    place.configure(sftp="attempts = 2\nfirst_pause_seconds = 0.05")
    assert place.run(place.day_out(1))[0].code == "KR-6212"
    assert place.recorded_as_sent(1) == set()
    assert put_right(place, calm) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_disk_that_is_full_is_named_whichever_database_meets_it_first(place: Town, calm: Outcome) -> None:
    """Dagster's records are on the same disk as ours, and fail in a way of their own."""
    place.must(*place.day_out(1))
    needed = size_of(place.data) - size_of(place.folder / "saved" / BEFORE_OUT / "data")
    shutil.rmtree(place.data)
    with small_disk(place.data):
        for share in (3, 10):
            place.restore(BEFORE_OUT)
            with filled(place.data, needed * share // 12):
                assert place.run(place.day_out(1))[0].code == "KR-6211"
            assert put_right(place, calm) == []
    place.restore(BEFORE_OUT)


@pytest.mark.parametrize(("days", "code"), [(-0.125, "ok"), (-100, "KR-6324"), (-400, "KR-6008")])
def test_a_wrong_clock_is_reported(place: Town, calm: Outcome, faketime: Path, days: float, code: str) -> None:
    """Three hours change nothing; a certificate that is not valid yet, and a first day that has not come, are named."""
    assert place.run(place.day_out(1), clock_seconds=days * DAY_SECONDS)[0].code == code
    assert put_right(place, calm) == []


def test_a_command_leaves_the_whole_ledger_in_its_one_file(place: Town) -> None:
    # Whoever keeps a copy of ledger.sqlite keeps all of it: nothing waits in a -wal file beside it.
    place.must(*place.day_out(1))
    assert [path.name for path in place.data.glob("ledger.sqlite*")] == ["ledger.sqlite"]


def test_a_lost_ledger_is_never_started_again(place: Town, calm: Outcome) -> None:
    for path in place.data.glob("ledger.sqlite*"):
        path.unlink()
    assert [place.run(place.day_out(1))[0].code for _ in range(2)] == ["KR-6107", "KR-6107"]
    assert not list(place.to_union.iterdir())
    for path in (place.folder / "saved" / BEFORE_OUT / "data").glob("ledger.sqlite*"):
        place.bring_back(BEFORE_OUT, place.data / path.name)
    assert put_right(place, calm) == []


def test_an_interrupted_receiving_is_not_called_done(place: Town) -> None:
    with line(place.server.host, place.server.port) as wire:
        place.restore(BEFORE_IN)
        place.configure(port=wire.port, sftp=f"{SHORT}\nattempts = 1")
        calm, _ = place.outcome(place.day_in(1))
        whole = wire.carried["down"]
        place.restore(BEFORE_IN)
        # After the listing, in the middle of the files.
        wire.harms("down", whole * 8 // 10, "cut")
        (cut,) = place.run(place.day_in(1))
        assert (cut.status, cut.code) == (1, "KR-6205")
        wire.heals()
        assert differences(calm, place.outcome(place.day_in(1))[0]) == []
