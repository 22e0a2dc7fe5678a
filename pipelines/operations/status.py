"""処理状況一覧: what a deployment has done lately, what waits, and what to do next. Pure; `status_facts` gathers the facts.

Counts only: no name, no number of a person.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from interfaces.messages import RenkeiError, message
from interfaces.words import job_in_words, state_in_words
from pipelines.configuration.calendar import MonthlyDays
from pipelines.eligibility.withholding import WithheldCount
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import EntryState
from pipelines.operations.outstanding import Overdue
from pipelines.storage.disk import Disk

LAST_DAYS = 5  # business days before today
KEY_WARNING_DAYS = 92  # the quarter that a key is valid for its rotation (`keyring`)
# A daemon writes that it is alive every half minute.
DAEMON_SILENT_SECONDS = 300
SHOWN_ACTIONS = 12
WEEKDAYS = "月火水木金土日"


class Ending(IntEnum):
    """What the exit status of `renkei status` tells a machine."""

    NOTHING_TO_DO = 0
    SOMETHING_TO_DO = 1
    CANNOT_TELL = 2


@dataclass(frozen=True)
class DayStatus:
    """A business day. sending: the state of its files in words; persons: records in the 資格情報(個人)ファイル, None when none was
    made; answered of answers: how many of the Union's daily files are applied; withheld: None when the day was not made or its
    list cannot be read."""

    day: dt.date
    sending: str
    persons: int | None
    answered: int
    answers: int
    quarantined: int
    withheld: WithheldCount | None


@dataclass(frozen=True)
class MonthlyProgress:
    """A month (処理対象年月) of the Union's calendar. done: the names of the steps that are done or not needed; undecided:
    candidates without a decision, None before the list came."""

    days: MonthlyDays
    done: frozenset[str]
    undecided: int | None


@dataclass(frozen=True)
class MonthStep:
    """A step of a month in words, and when the Union expects it."""

    name: str
    title: str
    due: dt.date


@dataclass(frozen=True)
class AwaitingApproval:
    """Files of a day, or of a month (its first day), that a second person must approve before they are sent."""

    partition: dt.date
    is_monthly: bool
    files: int


@dataclass(frozen=True)
class KeyStatus:
    """The newest key of a purpose, or the Union's certificate (purpose None), and its last day."""

    name: str
    purpose: str | None
    until: dt.date


@dataclass(frozen=True)
class Work:
    """A job and its day or month."""

    job: str
    partition: str


@dataclass(frozen=True)
class Runs:
    """What Dagster's records say. beat: when its daemon last wrote that it is alive, None when it never did; failed: the newest
    run failed; working: in progress. None as a whole (`Status.runs`): there are no records that can be read quickly."""

    beat: dt.datetime | None
    failed: Sequence[Work] = ()
    working: Sequence[Work] = ()


@dataclass(frozen=True)
class Status:
    """Everything that the screen says. unknown: why a part of it is not known; its fields are then empty or None."""

    at: dt.datetime
    municipality: str
    days: Sequence[DayStatus]
    waiting: Sequence[Entry]
    awaiting_approval: Sequence[AwaitingApproval]
    overdue: Sequence[Overdue]
    months: Sequence[MonthlyProgress]
    keys: Sequence[KeyStatus]
    disk: Disk | None
    runs: Runs | None
    unknown: Sequence[RenkeiError] = ()

    @property
    def ending(self) -> Ending:
        """The exit status."""
        if self.unknown:
            return Ending.CANNOT_TELL
        return Ending.SOMETHING_TO_DO if actions(self) else Ending.NOTHING_TO_DO

    @property
    def oldest_age(self) -> int:
        """The age in business days of the oldest that is overdue."""
        return max((one.age for one in self.overdue), default=0)


@dataclass(frozen=True)
class Action:
    """Something for a person to do, with the command to copy."""

    text: str
    command: str


def in_words(day: dt.date) -> str:
    """A day with its weekday, without the year."""
    return f"{day:%m-%d}（{WEEKDAYS[day.weekday()]}）"


def steps(progress: MonthlyProgress) -> list[MonthStep]:
    """The steps of a month in their order."""
    days = progress.days
    return [
        MonthStep("out", "高額該当情報・所得区分の送付", days.cut_off),
        MonthStep("candidates", "継続候補世帯リストの受領", days.candidates_on),
        MonthStep("instruction", "継続の判定と確定指示の送付", days.instruction_until),
        MonthStep("results", "確定結果・引継の受領", days.result_on),
    ]


def next_step(progress: MonthlyProgress) -> MonthStep | None:
    """The first step that is not done."""
    return next((step for step in steps(progress) if step.name not in progress.done), None)


def daemon_is_silent(status: Status) -> bool:
    """Whether a daemon that once worked does not any more. One that never did is not missed: commands do the work."""
    beat = status.runs.beat if status.runs else None
    return beat is not None and (status.at - beat).total_seconds() > DAEMON_SILENT_SECONDS


def actions(status: Status) -> list[Action]:
    """What a person has to do, the most urgent first."""
    found = [*_machine(status), *_files(status), *_days(status), *_months(status)]
    return list(dict.fromkeys(found))


def _machine(status: Status) -> Iterator[Action]:
    if status.disk is not None and status.disk.is_low:
        yield Action(f"ディスクの空きが足りません（{status.disk}）", "renkei retention run --dry-run")
    if daemon_is_silent(status):
        yield Action("dagster-daemon が止まっています。起動してください", "renkei doctor")
    for key in status.keys:
        left = (key.until - status.at.date()).days
        if left <= KEY_WARNING_DAYS:
            text = (
                f"{key.name} の期限は {key.until} です"
                if left >= 0
                else f"{key.name} の期限は {key.until} に切れました"
            )
            command = f'renkei keys rotate {key.purpose} --reason "期限"' if key.purpose else "renkei doctor"
            yield Action(text if key.purpose else f"連合会の証明書を受け取ってください。{text}", command)


def _files(status: Status) -> Iterator[Action]:
    for entry in status.waiting:
        yield Action(
            f"{state_in_words(entry.state)}のファイルを決めてください: {entry.file_name}",
            f"renkei quarantine show {entry.id}",
        )
    for one in status.awaiting_approval:
        of, option = (f"{one.partition:%Y-%m}", "--month") if one.is_monthly else (str(one.partition), "--date")
        yield Action(f"二人目の人の承認を待っています: {of} の{one.files}ファイル", f"renkei approve {option} {of}")
    failed = status.runs.failed if status.runs else ()
    for partition in dict.fromkeys(work.partition for work in failed):
        jobs = "、".join(job_in_words(work.job) for work in failed if work.partition == partition)
        yield Action(
            f"失敗したままの処理 {partition}: {jobs}", f"renkei rerun --failed --from {partition} --to {partition}"
        )


NEVER_SENT = "KR-6506"
# What an overdue thing asks for; the others are listed by their own sections.
_COMMANDS = {
    "KR-6351": "renkei ledger list --state 保管中",
    "KR-6501": "renkei run daily --date {last} --only out",
    "KR-6502": "renkei run daily --date {first} --only in",
    "KR-6505": "renkei continuity status --month {month}",
    NEVER_SENT: "renkei doctor",
    "KR-6511": "renkei run daily --date {today} --only in",
    "KR-6513": "renkei ledger list --state 届いたか未確認",
    "KR-6514": "renkei run daily --date {first} --only in",
}


def _days(status: Status) -> Iterator[Action]:
    for one in status.overdue:
        if one.code in _COMMANDS:
            command = _COMMANDS[one.code].format(
                first=one.first, last=one.last, month=f"{one.first:%Y-%m}", today=status.at.date()
            )
            yield Action(one.title if one.code == NEVER_SENT else f"{one.title}: {one.days} {one.subject}", command)
    latest = next((day for day in status.days if day.withheld is not None), None)
    if latest is not None and latest.withheld is not None and latest.withheld.with_households:
        yield Action(
            f"要修正 {withheld_in_words(latest.withheld)}を担当者に渡してください",
            f"renkei withheld --date {latest.day}",
        )


def _months(status: Status) -> Iterator[Action]:
    today = status.at.date()
    for progress in status.months:
        step, month = next_step(progress), f"{progress.days.month:%Y-%m}"
        if step is None:
            continue
        if step.name == "instruction" and progress.undecided:
            yield Action(
                f"継続の判定 残り{progress.undecided}件（期限 {step.due}）", f"renkei continuity status --month {month}"
            )
        elif step.due < today:
            yield Action(
                f"期日（{step.due}）を過ぎた月次: {step.title}",
                f"renkei run monthly --month {month} --step {step.name}",
            )


def withheld_in_words(withheld: WithheldCount | None) -> str:
    """4人（同一世帯を含め12人）."""
    if withheld is None:
        return "—"
    if withheld.persons == withheld.with_households:
        return f"{withheld.persons}人"
    return f"{withheld.persons}人（同一世帯を含め{withheld.with_households}人）"


def day_line(day: DayStatus) -> str:
    """A day in one line."""
    persons = "" if day.persons is None else f" {day.persons:,}人"
    quarantined = f"  隔離 {day.quarantined}件" if day.quarantined else ""
    withheld = "" if day.withheld is None else f"  要修正 {withheld_in_words(day.withheld)}"
    return f"{in_words(day.day)} {day.sending}{persons}  応答 {day.answered}/{day.answers}{quarantined}{withheld}"


def causes(day: DayStatus) -> list[str]:
    """Why persons of a day are withheld: code, title and how many."""
    by_code = day.withheld.by_code if day.withheld else {}
    return [f"{code} {message(code).title} {count}人" for code, count in by_code.items()]


def month_line(progress: MonthlyProgress) -> str:
    """A month in one line: the step that comes next and its day."""
    step = next_step(progress)
    done = "、".join(one.title for one in steps(progress) if one.name in progress.done)
    if step is None:
        return f"{progress.days.month:%Y-%m} 済み"
    left = f"、判定 残り{progress.undecided}件" if step.name == "instruction" and progress.undecided is not None else ""
    return f"{progress.days.month:%Y-%m} 次は {step.title}（期日 {step.due}{left}）" + (
        f"　済み: {done}" if done else ""
    )


def no_month(status: Status) -> str:
    """What is said instead of a month."""
    return "分かりません" if status.unknown else "いま進める月はありません"


def daemon_line(status: Status) -> str:
    """Whether Dagster's daemon is alive."""
    if status.runs is None:
        return "記録を読めません（renkei doctor で確認してください）"
    if status.runs.beat is None:
        return "動いた記録がありません（コマンドだけの運用ならこのままで構いません）"
    at = f"{status.runs.beat:%m-%d %H:%M}"
    return f"止まっています（最後の記録 {at}）" if daemon_is_silent(status) else f"動いています（{at}）"


def machine_lines(status: Status) -> list[str]:
    """Keys, disk, daemon and what runs."""
    keys = "、".join(f"{key.name} {key.until}" for key in status.keys) or "まだありません"
    working = (
        "、".join(f"{job_in_words(work.job)} {work.partition}" for work in status.runs.working) if status.runs else ""
    )
    return [
        f"鍵の期限: {keys}",
        f"ディスク: {status.disk or '分かりません'}",
        f"daemon: {daemon_line(status)}",
        *([f"実行中: {working}"] if working else []),
    ]


def waiting_lines(status: Status) -> list[str]:
    """What waits for a person, as counts, and how old the oldest is."""
    quarantined = sum(entry.state == EntryState.QUARANTINED for entry in status.waiting)
    return [
        *(["分からないことがあるため、次の数は分かった範囲のものです"] if status.unknown else []),
        f"隔離 {quarantined}件、追い越されたもの {len(status.waiting) - quarantined}件、"
        f"承認待ち {len(status.awaiting_approval)}件、失敗したままの処理 {len(status.runs.failed) if status.runs else 0}件",
        f"期限を過ぎたもの {sum(one.count for one in status.overdue)}件"
        + (f"（最も古いもの {status.oldest_age}営業日前から）" if status.overdue else ""),
    ]


def heading(status: Status) -> str:
    """The first line."""
    return f"処理状況一覧　{status.at:%Y-%m-%d}（{WEEKDAYS[status.at.weekday()]}）{status.at:%H:%M} 現在　市町村 {status.municipality}"


def lines(status: Status) -> list[str]:
    """The screen, which is also the text of the mail."""
    todo = actions(status)
    days = [line for day in status.days for line in (day_line(day), *(f"    {cause}" for cause in causes(day)))]
    asked = [line for one in todo[:SHOWN_ACTIONS] for line in (f"・{one.text}", f"    {one.command}")]
    more = [f"ほか{len(todo) - SHOWN_ACTIONS}件（renkei expected）"] if len(todo) > SHOWN_ACTIONS else []
    unknown = [f"・{error.for_people()}" for error in status.unknown]
    return [
        heading(status),
        "",
        "■ 日次（新しい順）",
        *(days or ["分かりません" if status.unknown else "まだ一度も送付していません"]),
        "",
        "■ 待っているもの",
        *waiting_lines(status),
        "",
        "■ 月次",
        *([month_line(progress) for progress in status.months] or [no_month(status)]),
        "",
        "■ 設備",
        *machine_lines(status),
        *(["", "■ 分からないこと", *unknown] if unknown else []),
        "",
        "■ 次にすること",
        *(asked + more or ["ありません" if not unknown else "分かった範囲ではありません"]),
    ]


def as_json(status: Status) -> dict[str, object]:
    """The same for machines."""
    return {
        "at": status.at.isoformat(timespec="seconds"),
        "municipality_code": status.municipality,
        "exit_status": int(status.ending),
        "days": [
            {
                **{name: value for name, value in vars(day).items() if name != "withheld"},
                "withheld": vars(day.withheld) if day.withheld else None,
            }
            for day in status.days
        ],
        "waiting": [
            {"entry": e.id, "state": e.state, "file_name": e.file_name, "partition": e.partition}
            for e in status.waiting
        ],
        "awaiting_approval": [vars(one) for one in status.awaiting_approval],
        "overdue": [vars(one) for one in status.overdue],
        "oldest_age": status.oldest_age,
        "months": [
            {
                "month": f"{progress.days.month:%Y-%m}",
                "done": sorted(progress.done),
                "next": vars(step) if (step := next_step(progress)) else None,
                "undecided": progress.undecided,
            }
            for progress in status.months
        ],
        "keys": [vars(key) for key in status.keys],
        "disk": vars(status.disk) if status.disk else None,
        "daemon": {
            "beat": status.runs.beat.isoformat(timespec="seconds") if status.runs and status.runs.beat else None,
            "silent": daemon_is_silent(status),
        },
        "failed": [vars(work) for work in status.runs.failed] if status.runs else None,
        "working": [vars(work) for work in status.runs.working] if status.runs else None,
        "unknown": [{"code": error.code, "message": str(error), "remedy": error.remedy} for error in status.unknown],
        "actions": [vars(action) for action in actions(status)],
    }
