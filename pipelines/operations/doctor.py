"""Whether a deployment can do its work: each check by itself, with what is wrong and what to do. Sends and changes nothing.

A check takes the facts that it judges; `examined` gathers them. What has been done is `status`.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dateutil.relativedelta import relativedelta

from interfaces.catalogue import DEFAULT_ROOT, Catalogue, load_catalogue
from interfaces.messages import RenkeiError
from interfaces.private import OTHERS
from pipelines.configuration.calendar import TOKYO, monthly_days, tokyo_now, tokyo_time
from pipelines.configuration.settings import ENVIRONMENT_KEY, Settings
from pipelines.deployment import Environment, disk_of, is_new_deployment, sftp_transport
from pipelines.exchange.belonging import Municipality
from pipelines.exchange.transport import Transport
from pipelines.operations import mail
from pipelines.operations.status import DAEMON_SILENT_SECONDS, KEY_WARNING_DAYS, KeyStatus, Runs
from pipelines.operations.status_facts import NO_LEDGER, keys_of
from pipelines.storage.disk import Disk, megabytes
from pipelines.storage.keyring import PURPOSES, KeyRing
from schemas.soundness import later_faults

LOOKING_SECONDS = 10.0  # for each wait for the Union's server
MONTHS_AHEAD = 3
JAPAN = dt.timedelta(hours=9)


class Verdict(StrEnum):
    """The outcome of a check, from good to bad."""

    SOUND = "良"
    NOT_USED = "対象外"
    ATTENTION = "注意"
    FAULT = "異常"


@dataclass(frozen=True)
class Check:
    """The outcome of one check: what was looked at, what was found, and what to do."""

    name: str
    verdict: Verdict
    result: str
    remedy: str = ""

    @classmethod
    def of(cls, name: str, error: RenkeiError, verdict: Verdict = Verdict.FAULT) -> Check:
        """A check that failed, with the code's own words."""
        return cls(name, verdict, str(error), error.remedy)

    def lines(self) -> list[str]:
        """The check as people read it."""
        return [f"{self.verdict}　{self.name}: {self.result}", *([f"    対処: {self.remedy}"] if self.remedy else [])]


def settings_check(settings: Settings) -> Check:
    """The settings could be read; otherwise there is nothing to examine."""
    return Check("設定", Verdict.SOUND, f"{os.environ.get(ENVIRONMENT_KEY, '')}（{Municipality.of(settings)}）")


def catalogue_check(load: Callable[[], Catalogue]) -> Check:
    """The specifications can be read; those of later days have no faults."""
    today = tokyo_now().date()
    try:
        loaded = load()
        loaded.require(today)
        if warning := later_faults(loaded, today):
            return Check.of("仕様データ", warning, Verdict.ATTENTION)
        return Check("仕様データ", Verdict.SOUND, f"{len(loaded.ids())}インタフェース")
    except RenkeiError as error:
        return Check.of("仕様データ", error)


@dataclass(frozen=True)
class Folder:
    """A folder of the settings and what it is needed for.

    is_private: other accounts must not get in; is_made: the program makes it when it first needs it.
    """

    what: str
    path: Path
    needs: int
    is_private: bool = False
    is_made: bool = False


def folders_of(settings: Settings, *, is_new: bool) -> list[Folder]:
    """The folders that a deployment works with. is_new: nothing was sent or received yet."""
    both = os.R_OK | os.W_OK | os.X_OK
    return [
        Folder("データのフォルダ", settings.data_folder, both, is_private=True, is_made=is_new),
        Folder("鍵のフォルダ", settings.key_folder, os.R_OK | os.X_OK, is_private=True, is_made=is_new),
        Folder("抽出のフォルダ", settings.extract_folder, os.R_OK | os.X_OK),
        Folder("担当者のフォルダ", settings.clerks, both, is_made=True),
        Folder("送付の控え帳のフォルダ", settings.sent_log_file.parent, both),
    ]


def folder_check(folder: Folder) -> Check:
    """The folder is there, usable, and closed to others where it must be (KR-7811)."""
    if not folder.path.exists():
        if folder.is_made:
            return Check(folder.what, Verdict.NOT_USED, f"{folder.path} はまだありません（必要なときに作ります）")
        return _folder_fault(folder, "ありません")
    if not folder.path.is_dir():
        return _folder_fault(folder, "フォルダではありません")
    if not os.access(folder.path, folder.needs):
        return _folder_fault(folder, "このアカウントに権限がありません")
    mode = folder.path.stat().st_mode
    if folder.is_private and mode & OTHERS:
        return _folder_fault(folder, f"ほかのアカウントも入れます（{mode & 0o777:04o}）")
    return Check(folder.what, Verdict.SOUND, str(folder.path))


def _folder_fault(folder: Folder, problem: str) -> Check:
    return Check.of(folder.what, RenkeiError("KR-7811", what=folder.what, path=folder.path, problem=problem))


def keys_check(ring: KeyRing, *, is_new: bool) -> Check:
    """The newest key of each purpose can be used by this account (KR-7106, KR-7111 to KR-7113)."""
    try:
        pairs = [pairs[0] for purpose in PURPOSES if (pairs := ring.pairs(purpose))]
        if not pairs and is_new:
            return Check("鍵", Verdict.NOT_USED, "まだありません（renkei keys init か、最初の処理で作ります）")
        if not pairs:
            ring.current("records")
        for pair in pairs:
            ring.unlock(pair)
    except RenkeiError as error:
        return Check.of("鍵", error)
    return Check("鍵", Verdict.SOUND, "、".join(pair.name for pair in pairs))


def expiry_check(key: KeyStatus, today: dt.date) -> Check:
    """A key or certificate is valid, and for a while (KR-7812, KR-7813)."""
    name, days = f"期限（{key.name}）", (key.until - today).days
    if days < 0:
        return Check.of(name, RenkeiError("KR-7813", key=key.name, until=key.until))
    if days <= KEY_WARNING_DAYS:
        return Check.of(name, RenkeiError("KR-7812", key=key.name, until=key.until, days=days), Verdict.ATTENTION)
    return Check(name, Verdict.SOUND, f"{key.until} まで（あと{days}日）")


def disk_check(disk: Disk) -> Check:
    """There is room for a day (KR-7814)."""
    if disk.is_low:
        error = RenkeiError("KR-7814", free=megabytes(disk.free), needed=megabytes(disk.needed))
        return Check.of("ディスク", error)
    return Check("ディスク", Verdict.SOUND, str(disk))


def clock_check(now: dt.datetime, newest: str | None) -> Check:
    """The clock is not behind what the ledger has recorded already (KR-7815). newest: the time of its last event."""
    if newest is not None and tokyo_time(newest) > now:
        last = f"{tokyo_time(newest):%Y-%m-%d %H:%M:%S}"
        return Check.of("時計", RenkeiError("KR-7815", now=f"{now:%Y-%m-%d %H:%M:%S}", last=last))
    return Check("時計", Verdict.SOUND, f"{now:%Y-%m-%d %H:%M:%S}（日本時間）")


def time_zone_check(offset: dt.timedelta) -> Check:
    """The machine's own time zone is Japan's, by which cron and systemd start things (KR-7816)."""
    if offset == JAPAN:
        return Check("時間帯", Verdict.SOUND, "日本時間")
    sign, seconds = ("-" if offset < dt.timedelta() else "+"), abs(int(offset.total_seconds()))
    error = RenkeiError("KR-7816", offset=f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}")
    return Check.of("時間帯", error, Verdict.ATTENTION)


def calendar_check(catalogue: Catalogue, today: dt.date) -> Check:
    """The Union's calendar has this month and those that come (KR-7817)."""
    this = today.replace(day=1)
    last = None
    for ahead in range(MONTHS_AHEAD + 1):
        try:
            last = monthly_days(catalogue, this + relativedelta(months=ahead)).month
        except RenkeiError:
            needed = this + relativedelta(months=MONTHS_AHEAD)
            result = f"{last:%Y-%m}" if last else f"{this - relativedelta(months=1):%Y-%m} 以前の"
            return Check.of(
                "処理日程", RenkeiError("KR-7817", last=result, needed=f"{needed:%Y-%m}"), Verdict.ATTENTION
            )
    return Check("処理日程", Verdict.SOUND, f"{last:%Y-%m} 分まであります")


def server_check(name: str, transport: Transport) -> Check:
    """The Union's server shows its host key, lets us in and lists the folder; nothing is sent (KR-6201 to KR-6212)."""
    with closing(transport):
        try:
            count = len(transport.list())
        except RenkeiError as error:
            return Check.of(name, error)
    return Check(name, Verdict.SOUND, f"ホスト鍵とログインは正しく、フォルダを読めます（{count}ファイル）")


def daemon_check(runs: Runs | None, now: dt.datetime) -> Check:
    """Dagster's daemon is alive (KR-7818), where it has ever been used."""
    if runs is None:
        return Check("daemon", Verdict.NOT_USED, "Dagster の記録が SQLite のファイルでないため、ここでは調べません")
    if runs.beat is None:
        return Check("daemon", Verdict.NOT_USED, "動いた記録がありません（コマンドだけの運用）")
    if (now - runs.beat).total_seconds() > DAEMON_SILENT_SECONDS:
        return Check.of("daemon", RenkeiError("KR-7818", at=f"{runs.beat:%Y-%m-%d %H:%M}"))
    return Check("daemon", Verdict.SOUND, f"動いています（{runs.beat:%H:%M}）")


def mail_check(settings: Settings) -> Check:
    """The mail server can be reached and lets us in; nothing is sent (KR-7703, KR-7104, KR-7106)."""
    if settings.alerts is None:
        return Check("メール", Verdict.NOT_USED, "設定に [alerts] がありません")
    try:
        mail.reach(settings.alerts)
    except RenkeiError as error:
        return Check.of("メール", error)
    return Check("メール", Verdict.SOUND, f"{settings.alerts.host}:{settings.alerts.port} に接続できます")


def examined(settings: Settings, clock: Callable[[], dt.datetime], runs: Runs | None) -> Iterator[Check]:
    """Every check of a deployment, one after another as it is done."""
    now, is_new = clock().astimezone(TOKYO), is_new_deployment(settings.data_folder)
    yield settings_check(settings)
    yield from map(folder_check, folders_of(settings, is_new=is_new))

    def load() -> Catalogue:
        return load_catalogue(settings.catalogue_folder or DEFAULT_ROOT)

    catalogue = catalogue_check(load)
    yield catalogue
    own = KeyRing(settings.key_folder, settings.passphrase_file, Municipality.of(settings).key_owner)
    yield keys_check(own, is_new=is_new)
    if catalogue.verdict is Verdict.SOUND:
        yield from _ledger_checks(settings, clock, now, is_new=is_new)
        yield calendar_check(load(), now.date())
    yield disk_check(disk_of(settings))
    yield time_zone_check(dt.datetime.now().astimezone().utcoffset() or dt.timedelta())
    yield from _server_checks(settings)
    yield daemon_check(runs, now)
    yield mail_check(settings)


def _ledger_checks(
    settings: Settings, clock: Callable[[], dt.datetime], now: dt.datetime, *, is_new: bool
) -> Iterator[Check]:
    """The ledger can be read, every entry of it, and is ours (KR-6105 to KR-6110, KR-6141), and what it and the keys' certificates tell."""
    try:
        environment = Environment.view(settings, clock)
        newest, entries = environment.ledger.newest_event(), len(environment.ledger.entries())
    except RenkeiError as error:
        if is_new and error.code == NO_LEDGER:
            yield Check("台帳", Verdict.NOT_USED, "まだありません（最初の処理で作ります）")
        else:
            yield Check.of("台帳", error)
        yield clock_check(now, None)
        return
    yield Check("台帳", Verdict.SOUND, f"{environment.ledger.shown_url}（{entries}件）")
    yield clock_check(now, newest.at if newest else None)
    yield from _expiry_checks(environment, now.date())


def _expiry_checks(environment: Environment, today: dt.date) -> Iterator[Check]:
    try:
        yield from (expiry_check(key, today) for key in keys_of(environment))
    except RenkeiError as error:
        yield Check.of("証明書", error)


def _server_checks(settings: Settings) -> Iterator[Check]:
    """Both folders of the Union; after a failure of the server itself the second would only fail again."""
    if settings.sftp is None:
        yield Check("連合会のサーバ", Verdict.NOT_USED, "設定に [sftp] がありません")
        return
    for name, folder in (("送信先", settings.sftp.to_union_folder), ("受信元", settings.sftp.from_union_folder)):
        try:
            transport = sftp_transport(settings.sftp, folder, LOOKING_SECONDS)
        except RenkeiError as error:
            yield Check.of(f"連合会のサーバ（{name} {folder}）", error)
            return
        check = server_check(f"連合会のサーバ（{name} {folder}）", transport)
        yield check
        if check.verdict is Verdict.FAULT and not check.result.startswith(("KR-6203", "KR-6204")):
            return


def worst(checks: Sequence[Check]) -> Verdict:
    """The worst verdict: its place in the order is what the exit status tells."""
    order = list(Verdict)
    return max((check.verdict for check in checks), key=order.index, default=Verdict.SOUND)
