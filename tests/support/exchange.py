"""What the tests of the exchange share: a clock that stands still, a transport that fails on command, small files."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

from pipelines.exchange.batch import OutboundFile
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.exchange.received_file import ValidationOutcome
from pipelines.exchange.transport import LocalFolderTransport, RemoteFile
from tests.support.rings import file_store

MONDAY, TUESDAY, WEDNESDAY = date(2026, 4, 6), date(2026, 4, 7), date(2026, 4, 8)
HOUSEHOLD, INDIVIDUAL = "eligibility_household", "eligibility_individual"


def noon() -> datetime:
    """03:00 UTC is noon in Tokyo."""
    return datetime(2026, 4, 8, 3, 0, tzinfo=UTC)


def action(word: str) -> LedgerEvent:
    """A word that the program itself never notes."""
    return cast(LedgerEvent, word)


class Crash(BaseException):
    """The process ends here: nothing in the program may catch it."""


class Fuse:
    """Ends the process just before or after one outside effect: a named one, or the n-th step of all.

    Steps: each effect is one step just before it happens, and one just after.
    """

    def __init__(self, ends: Callable[[str, str, int, int], bool]) -> None:
        self._ends = ends
        self._met: Counter[tuple[str, str]] = Counter()

    @classmethod
    def before(cls, effect: str, nth: int = 1) -> Fuse:
        """Just before the n-th `effect`, by the name of the method that has it."""
        return cls(lambda moment, name, number, _: (moment, name, number) == ("before", effect, nth))

    @classmethod
    def after(cls, effect: str, nth: int = 1) -> Fuse:
        """Just after the n-th `effect`."""
        return cls(lambda moment, name, number, _: (moment, name, number) == ("after", effect, nth))

    @classmethod
    def at_step(cls, number: int) -> Fuse:
        """At the n-th step, whatever it is: for a test that goes through all of them."""
        return cls(lambda moment, name, nth, step: step == number)

    def _step(self, moment: str, effect: str) -> None:
        self._met[moment, effect] += 1
        if self._ends(moment, effect, self._met[moment, effect], self._met.total()):
            raise Crash

    def around(self, effect: str, action: Callable[..., Any]) -> Callable[..., Any]:
        """The action with its two steps."""

        def fused(*arguments: Any, **named: Any) -> Any:
            self._step("before", effect)
            result = action(*arguments, **named)
            self._step("after", effect)
            return result

        return fused


class FusedTransport:
    """A transport of which every changing call burns the fuse."""

    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self._inner, self._fuse = inner, fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._fuse.around(name, found) if name in ("get", "put_temporary", "rename", "remove") else found


class FusedLedger(Ledger):
    """A ledger of which every committed move burns the fuse."""

    def __init__(self, url: str, fuse: Fuse) -> None:
        super().__init__(url, noon)
        self._fuse = fuse

    def recorder(self, operator: str, run_id: str | None = None) -> Recorder:
        recorder = super().recorder(operator, run_id)
        recorder.transition = self._fuse.around("transition", recorder.transition)  # type: ignore[method-assign]
        recorder.append_event = self._fuse.around("append_event", recorder.append_event)  # type: ignore[method-assign]
        return recorder


class SweepingTransport(LocalFolderTransport):
    """A Union that takes a file from its folder the moment it has its final name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.swept: list[tuple[str, bytes]] = []

    def rename(self, temporary: str, name: str) -> None:
        super().rename(temporary, name)
        self.swept.append((name, (self.folder / name).read_bytes()))
        (self.folder / name).unlink()


class ChangingTransport(LocalFolderTransport):
    """A Union that still writes to a file while it is fetched."""

    def get(self, name: str) -> bytes:
        found = super().get(name)
        with (self.folder / name).open("ab") as handle:
            handle.write(b"more")
        return found


class UnreadableFileTransport(LocalFolderTransport):
    """A Union of whose files one cannot be fetched."""

    def __init__(self, folder: Path, name: str, error: Exception) -> None:
        super().__init__(folder)
        self.name, self.error, self.tries = name, error, 0

    def get(self, name: str) -> bytes:
        if name == self.name:
            self.tries += 1
            raise self.error
        return super().get(name)


def outbound(folder: Path, interface: str, data: bytes, file_name: str | None = None) -> OutboundFile:
    """A file of ours, written below `folder`."""
    name = file_name or f"{interface}.csv"
    path = folder / f"{name}.p7m"
    file_store(folder).put(path, data)
    return OutboundFile(interface, name, path, hashlib.sha256(data).hexdigest(), len(data), data.count(b"\n"))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def accept(content: bytes, name: str) -> ValidationOutcome:
    """A judge to whom everything is right."""
    return ValidationOutcome(
        True, interface="acquisition_loss_linkage", partition=WEDNESDAY, records=content.count(b"\n")
    )


def refuse(content: bytes, name: str) -> ValidationOutcome:
    """A judge to whom everything is wrong, with a report and a workbook."""
    report = {"findings": [{"code": "KR-1004", "line": 3}]}
    return ValidationOutcome(
        False, "acquisition_loss_linkage", WEDNESDAY, 2, report, lambda target: _write(target, b"workbook")
    )


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def only(found: list[Any]) -> Any:
    """The one element of a list."""
    assert len(found) == 1, found
    return found[0]


def remote_names(listed: list[RemoteFile]) -> list[str]:
    return [file.name for file in listed]
