"""When jobs run by the clock, in Asia/Tokyo. What falls on which day of a month is in `monthly_steps`."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from interfaces.catalogue import Catalogue
from interfaces.messages import RenkeiError
from pipelines.configuration.calendar import TOKYO, is_business_day, monthly_days, previous_business_day
from pipelines.orchestration.assets.monitoring import WATCH_JOB
from pipelines.orchestration.jobs import DAILY_OUT, Work
from pipelines.orchestration.monthly_steps import MONTHLY_STEPS, MonthlyStep
from pipelines.orchestration.partitions import Partitions
from pipelines.orchestration.resources import Deployment

SENDING_HOUR = 18  # after the municipal systems' evening extract
MONTHLY_HOUR = 19  # after the day's own sending
WATCHING_HOUR = 8  # before the offices open, for the business day before
_OUTSIDE = "{day} は運用の期間の外です（設定の first_day と last_day）"


def schedules(work: Work, partitions: Partitions) -> list[dg.ScheduleDefinition]:
    """All schedules."""
    return [
        _daily(work.jobs[DAILY_OUT], partitions),
        _watch(work.jobs[WATCH_JOB], partitions),
        *(_monthly(step, work.jobs[step.job], partitions) for step in MONTHLY_STEPS),
    ]


def _day(context: dg.ScheduleEvaluationContext) -> dt.date:
    return context.scheduled_execution_time.astimezone(TOKYO).date()


def _daily(job: dg.JobDefinition, partitions: Partitions) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="daily_out_schedule",
        job=job,
        cron_schedule=f"0 {SENDING_HOUR} * * *",
        execution_timezone="Asia/Tokyo",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="連合会の営業日の18時に、その日の資格情報を送る",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """One run per business day; holidays are skipped with the reason."""
        day = _day(context)
        if not is_business_day(day):
            return dg.SkipReason(f"{day} は連合会の営業日ではありません")
        if not partitions.days.has_partition_key(day.isoformat()):
            return dg.SkipReason(_OUTSIDE.format(day=day))
        return dg.RunRequest(run_key=f"{DAILY_OUT}|{day}", partition_key=day.isoformat())

    return schedule


def _watch(job: dg.JobDefinition, partitions: Partitions) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="daily_watch_schedule",
        job=job,
        cron_schedule=f"30 {WATCHING_HOUR} * * *",
        execution_timezone="Asia/Tokyo",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="営業日の朝8時半に、前の営業日の終わりにないものを調べ、処理状況一覧を作って送る",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """One run per business day, for the business day before it."""
        day = _day(context)
        if not is_business_day(day):
            return dg.SkipReason(f"{day} は連合会の営業日ではありません")
        before = previous_business_day(day)
        if not partitions.days.has_partition_key(before.isoformat()):
            return dg.SkipReason(_OUTSIDE.format(day=before))
        return dg.RunRequest(run_key=f"{WATCH_JOB}|{before}", partition_key=before.isoformat())

    return schedule


def _monthly(step: MonthlyStep, job: dg.JobDefinition, partitions: Partitions) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{step.job}_schedule",
        job=job,
        cron_schedule=f"0 {MONTHLY_HOUR} * * *",
        execution_timezone="Asia/Tokyo",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="連合会の処理日程（calendars/monthly.csv）に合う営業日の19時に動く",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, deployment: Deployment
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """One run per month that has this step on this day."""
        day = _day(context)
        months = [day.replace(day=1), (day.replace(day=1) - dt.timedelta(days=1)).replace(day=1)]
        catalogue = deployment.environment.catalogue
        due = [month for month in months if is_business_day(day) and _is_due(step, day, month, catalogue)]
        existing = set(partitions.months.get_partition_keys())
        for month in due:
            if month.isoformat() in existing:
                yield dg.RunRequest(run_key=f"{step.job}|{month}|{day}", partition_key=month.isoformat())
        if not due:
            yield dg.SkipReason(f"{day} は月次の {step.name} の日ではありません")

    return schedule


def _is_due(step: MonthlyStep, day: dt.date, month: dt.date, catalogue: Catalogue) -> bool:
    """Whether a step of a month is tried on a business day; never in a month that the Union's calendar does not have."""
    try:
        return step.is_due(monthly_days(catalogue, month), day)
    except RenkeiError:
        return False
