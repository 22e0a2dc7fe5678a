"""Alerts about failed runs and findings of the daily watch: one line each in alerts.log, one e-mail per tick.

They contain codes, totals and commands only: no error message, no value, no person. `mail` sends the e-mail.
"""

import datetime as dt
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from interfaces.messages import RenkeiError, message, messages, runbook
from interfaces.private import private_folder
from pipelines.configuration.calendar import TOKYO, tokyo_now
from pipelines.configuration.settings import Settings
from pipelines.operations import mail
from pipelines.orchestration.assets.monitoring import WATCH_JOB
from pipelines.orchestration.checks import CODE
from pipelines.orchestration.dead_runs import end_dead_runs
from pipelines.orchestration.failed_runs import command
from pipelines.orchestration.resources import Deployment

UNEXPECTED, CUT_OFF = "KR-7701", "KR-7702"
TICK_SECONDS = 300
RUNS_A_TICK = 100  # far more than ever fail at once; the rest waits for the next tick


@dataclass(frozen=True)
class Alert:
    """One alert: which run, and how often which code."""

    time: str
    job: str
    partition: str
    run_id: str
    codes: Mapping[str, int]
    command: str

    def line(self) -> dict[str, object]:
        """The alert as a line of alerts.log."""
        codes = [
            {"code": code, "title": message(code).title, "count": count, "runbook": runbook(code)}
            for code, count in self.codes.items()
        ]
        return {**vars(self), "codes": codes}

    def text(self) -> str:
        """The alert as people read it."""
        code_lines = [
            f"  {code} {message(code).title} {count}件 → {runbook(code)}" for code, count in self.codes.items()
        ]
        return "\n".join(
            [f"{self.time} {self.job} {self.partition}", *code_lines, f"  {self.command}", f"  実行 {self.run_id}"]
        )


def _of_failure(instance: dg.DagsterInstance, run_id: str) -> Counter[str]:
    """The codes of the failed steps. An error without a KR code is KR-7701; no failed step at all, KR-7702."""
    found: Counter[str] = Counter()
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        failure = entry.get_dagster_event().step_failure_data.user_failure_data
        code = str(failure.metadata[CODE].value) if failure and CODE in failure.metadata else UNEXPECTED
        found[code if code in messages() else UNEXPECTED] += 1
    return found or Counter({CUT_OFF: 1})


def _of_watch(instance: dg.DagsterInstance, run_id: str) -> Counter[str]:
    """The totals by code from the checks of the daily watch."""
    found: Counter[str] = Counter()
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        for name, value in entry.get_dagster_event().asset_check_evaluation_data.metadata.items():
            code = name.split(" ")[0]
            if code in messages() and isinstance(value, dg.IntMetadataValue) and value.value:
                found[code] += value.value
    return found


def _changes(
    instance: dg.DagsterInstance, kind: dg.DagsterEventType, cursor: str
) -> tuple[list[tuple[dg.DagsterRun, str]], str]:
    """The runs with a status change of this kind since the cursor, each with its time, and the new cursor."""
    changed = instance.fetch_run_status_changes(kind, limit=RUNS_A_TICK, cursor=cursor, ascending=True)
    ended = [
        (run, dt.datetime.fromtimestamp(record.timestamp, TOKYO).isoformat(timespec="seconds"))
        for record in changed.records
        if (run := instance.get_run_by_id(record.run_id))
    ]
    return ended, changed.cursor


def _initial_cursor(instance: dg.DagsterInstance) -> dict[str, Any]:
    """The cursor of the first tick starts now: there are no alerts about the past."""
    kinds = {"failed": dg.DagsterEventType.RUN_FAILURE, "succeeded": dg.DagsterEventType.RUN_SUCCESS}
    latest = {name: instance.fetch_run_status_changes(kind, limit=1).cursor for name, kind in kinds.items()}
    return {**latest, "watched": "", "unsent": []}


def _new_alerts(instance: dg.DagsterInstance, seen: dict[str, Any]) -> Iterator[Alert]:
    """The alerts since the last tick; updates `seen`. The watch of a day alerts once, however often it is run."""
    failures, seen["failed"] = _changes(instance, dg.DagsterEventType.RUN_FAILURE, seen["failed"])
    for run, time in failures:
        day = run.tags.get("dagster/partition", "")
        yield Alert(time, run.job_name, day, run.run_id, _of_failure(instance, run.run_id), command(day))
    successes, seen["succeeded"] = _changes(instance, dg.DagsterEventType.RUN_SUCCESS, seen["succeeded"])
    for run, time in successes:
        day = run.tags.get("dagster/partition", "")
        if run.job_name == WATCH_JOB and day > seen["watched"]:
            seen["watched"] = day
            if totals := _of_watch(instance, run.run_id):
                yield Alert(time, run.job_name, day, run.run_id, totals, f"renkei expected --on {day}")


def _append(path: Path, lines: Sequence[Mapping[str, object]]) -> None:
    """One line of JSON each, in a file for its owner alone."""
    if not lines:
        return
    private_folder(path.parent)
    with os.fdopen(os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600), "a", encoding="utf-8") as log:
        log.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _send_mail(settings: Settings, alerts: list[Alert]) -> tuple[list[Alert], Sequence[Mapping[str, object]]]:
    """Try once to send. Returns the alerts that still wait, and the log lines about the attempt."""
    if settings.alerts is None or not alerts:
        return [], []
    first = alerts[0]
    more = f" ほか{len(alerts) - 1}件" if len(alerts) > 1 else ""
    text = "\n\n".join([*(alert.text() for alert in alerts), FOOT])
    time = tokyo_now().isoformat(timespec="seconds")
    try:
        refused = mail.send(settings.alerts, f"【国保連携】{first.job} {first.partition}{more}", text)
    except RenkeiError as error:
        return alerts, [{"time": time, "code": error.code, "reason": str(error), "unsent": len(alerts)}]
    return [], [{"time": time, "sent": len(alerts), "refused_recipients": refused}]


FOOT = "このメールに個人の情報はありません。コードの意味と対処は renkei explain コード、または Dagster の画面で見てください。\n"


@dg.sensor(
    name="failure_alerts",
    minimum_interval_seconds=TICK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="失敗した実行と毎日の見回りの件数を、data/alerts.log に記し、[alerts] の宛先にメールで通知する",
)
def failure_alerts(context: dg.SensorEvaluationContext, deployment: Deployment) -> dg.SensorResult:
    """Ends runs whose process is gone, logs new alerts, then tries to send all waiting ones, again at each tick.

    Reads the settings and Dagster's records only: an unavailable ledger must not silence the alerts.
    """
    end_dead_runs(context.instance)
    settings = Settings.load(deployment.settings_path)
    seen = json.loads(context.cursor) if context.cursor else _initial_cursor(context.instance)
    new = list(_new_alerts(context.instance, seen))
    waiting = [*(Alert(**kept) for kept in seen["unsent"]), *new]
    log = settings.data_folder / "alerts.log"
    _append(log, [alert.line() for alert in new])  # before any mail, so it is written even if the mail fails
    unsent, attempt = _send_mail(settings, waiting)
    _append(log, attempt)
    seen["unsent"] = [vars(alert) for alert in unsent]
    return dg.SensorResult(
        cursor=json.dumps(seen, ensure_ascii=False), skip_reason=f"通知 {len(new)}件、未送信 {len(unsent)}件"
    )
