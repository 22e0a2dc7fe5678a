"""Files that are left in a folder, since when, and why; and when a file counts as finished. Fetches nothing.

The sensor, `run` and `media import` share the same rule and one table in the ledger's database with the present content
of the folders. It is no history: its rows change and disappear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from interfaces.messages import RenkeiError
from interfaces.naming import why_unsafe
from pipelines.exchange.ledger.reading import Reader
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.operator_input import seems_individual_number
from pipelines.exchange.transport import PermanentTransportError, RemoteFile, shown_name

UNION: Final = "union"
KINDS: Final = {"folder": "フォルダ", "link": "リンク", "other": "特殊なファイル"}
TOO_YOUNG, CLOCK_AHEAD, NO_TIME = "KR-6331", "KR-6332", "KR-6333"

metadata = sa.MetaData()
left_table = sa.Table(
    "left_behind",
    metadata,
    sa.Column("place", sa.String(64), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger),
    sa.Column("modified", sa.Float),
    sa.Column("since", sa.String(40), nullable=False),
    sa.Column("code", sa.String(8), nullable=False),
)


@dataclass(frozen=True)
class LeftBehind:
    """One file that was left in a folder.

    `name`: as it may be shown. `size`, `modified`: as listed by the server, None if not listed. `since`: when it was first
    seen with these (ISO 8601, Asia/Tokyo). `code`: why it was not received.
    """

    name: str
    size: int | None
    modified: float | None
    since: str
    code: str


def unsettled(
    file: RemoteFile, now: datetime, settle_seconds: float, unchanged_since: datetime | None
) -> RenkeiError | None:
    """Why a file may still be being written; None when it is finished.

    Finished: its time is at least `settle_seconds` old, or it was first seen with the same size and time that long ago.
    The second rule is for a server whose clock is ahead (KR-6332, with the difference) or that lists no time (KR-6333);
    a file that is merely too new is KR-6331.
    """
    seen = (now - unchanged_since).total_seconds() if unchanged_since else -1.0
    if settle_seconds == 0 or seen >= settle_seconds:
        return None
    name, wait = file.name, f"{settle_seconds:g}"
    if file.modified is None:
        return RenkeiError(NO_TIME, name=name, wait=wait)
    age = now.timestamp() - file.modified
    if age >= settle_seconds:
        return None
    if age < 0:
        return RenkeiError(CLOCK_AHEAD, name=name, ahead=_duration(-age), wait=wait)
    return RenkeiError(TOO_YOUNG, name=name, age=int(age), wait=wait)


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours}時間{minutes}分" if hours else f"{minutes}分" if minutes else f"{int(seconds) + 1}秒"


@dataclass(frozen=True)
class Folder:
    """A folder in which files arrive. `place`: its name in the table. `has_specified_name`: whether a name follows a
    specification's rule."""

    place: str
    settle_seconds: float
    has_specified_name: Callable[[str], bool]

    def shown(self, name: str) -> str:
        """A name as it may be shown in a message. Digits in a name that follows a specification are no 個人番号."""
        return name if self.has_specified_name(name) else shown_name(name)


def not_receivable(recorder: Recorder, folder: Folder, files: Iterable[RemoteFile]) -> dict[str, RenkeiError]:
    """Why a listed file cannot be received now, by its listed name; files that can be received are not included.

    Its name is unsafe or seems to contain a 個人番号 (KR-6207), it is no regular file (KR-6302), or it is not finished
    (`unsettled`). Remembers these files, and forgets those that are not listed any more.
    """
    listed, now = list(files), recorder.now()
    with recorder.viewing() as view:
        remembered = {row.name: row for row in _rows(view, folder.place)}
    found: dict[str, RenkeiError] = {}
    codes: dict[str, str] = {}
    for file in listed:
        name = folder.shown(file.name)
        earlier = _same(remembered.get(name), file)
        reason = _never_receivable(folder, file) or unsettled(file, now, folder.settle_seconds, _since(earlier, now))
        if reason is not None:
            found[file.name], codes[name] = reason, reason.code
        elif earlier is not None:  # finished, and an earlier attempt failed to receive it
            codes[name] = earlier.code
    remember(recorder, folder, listed, codes)
    return found


def _same(earlier: LeftBehind | None, file: RemoteFile) -> LeftBehind | None:
    """The earlier row, if the file still has the same size and time."""
    if earlier is None or (earlier.size, earlier.modified) != (file.size, file.modified):
        return None
    return earlier


def _since(earlier: LeftBehind | None, now: datetime) -> datetime | None:
    """Since when a file is unchanged; an earlier row in the future comes from another clock and does not count."""
    since = datetime.fromisoformat(earlier.since) if earlier else now
    return since if earlier and since <= now else None


def _never_receivable(folder: Folder, file: RemoteFile) -> RenkeiError | None:
    """Why a file of this name and kind can never be received."""
    reason = why_unsafe(file.name)
    if reason is None and seems_individual_number(file.name) and not folder.has_specified_name(file.name):
        reason = "個人番号らしい12桁の数字を含む"
    if reason is not None:
        return PermanentTransportError("KR-6207", name=shown_name(file.name), reason=reason)
    if file.kind != "file":
        return PermanentTransportError("KR-6302", name=file.name, kind=KINDS[file.kind])
    return None


def left_behind(ledger: Reader, place: str = UNION) -> list[LeftBehind]:
    """The files that were left in a folder when it was last listed, by name."""
    with ledger.viewing() as view:
        return _rows(view, place)


def _rows(connection: Connection, place: str) -> list[LeftBehind]:
    columns = [left_table.c[name] for name in ("name", "size", "modified", "since", "code")]
    query = sa.select(*columns).where(left_table.c.place == place).order_by(left_table.c.name)
    return [LeftBehind(**row) for row in connection.execute(query).mappings()]


def remember(recorder: Recorder, folder: Folder, listed: Iterable[RemoteFile], codes: Mapping[str, str]) -> None:
    """Store the files left in a folder: `codes` by shown name, of files that are `listed`. All other rows are deleted."""
    now = recorder.now().isoformat()
    files, place = {folder.shown(file.name): file for file in listed}, folder.place
    left = [
        LeftBehind(name, files[name].size, files[name].modified, now, code)
        for name, code in sorted(codes.items())
        if name in files
    ]
    with recorder.transaction() as work:
        before = {file.name: file for file in _rows(work.connection, place)}
        after = [_as_first_seen(file, before.get(file.name), now) for file in left]
        if after != list(before.values()):
            work.connection.execute(sa.delete(left_table).where(left_table.c.place == place))
            if after:
                work.connection.execute(sa.insert(left_table), [{"place": place, **vars(file)} for file in after])


def _as_first_seen(file: LeftBehind, before: LeftBehind | None, now: str) -> LeftBehind:
    """The file with the time when it was first seen unchanged, unless that time is of a clock ahead of ours."""
    is_same = before is not None and (before.size, before.modified) == (file.size, file.modified)
    return replace(file, since=before.since) if before and is_same and before.since <= now else file
