"""The monthly cycle through Dagster's own doors: partitions, waiting as a state, missing days, schedules, the sensor."""

from __future__ import annotations

import datetime as dt
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import openpyxl
import polars as pl
import pytest
from click.testing import CliRunner

from fixtures.counterpart.delivery import LONG_AGO, leave
from fixtures.monthly_defects import HEADER, SOUND
from interfaces import codec
from interfaces.catalogue import load_catalogue
from interfaces.naming import file_name
from pipelines.cli import main
from pipelines.configuration.settings import Settings
from pipelines.continuity import monthly
from pipelines.definitions import defs
from pipelines.deployment import Environment
from pipelines.orchestration.monthly_steps import MONTHLY_STEPS
from pipelines.storage.tables import Store
from tests.support.deployment import DECISION, fill
from tests.support.entries import DELIVERED, outbound_entry
from tests.support.town import Town

MONTH = dt.date(2026, 4, 1)
JST = dt.timezone(dt.timedelta(hours=9))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, town: Town) -> None:
    """The town's clock is stopped."""
    stop_clock(town, monkeypatch)


def stop_clock(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment's clock stands at ten in the morning of 2026-05-08."""
    settings = Settings.load(town.folder / "renkei.toml")
    stopped = Environment.open(settings, clock=lambda: dt.datetime(2026, 5, 8, 10, 0, tzinfo=JST))
    monkeypatch.setattr(Environment, "open", lambda *_, **__: stopped)


def delivered(town: Town, interface: str, rows: list[dict[str, object]] | None = None) -> Path:
    """A file of the Union in our folder on the server."""
    specification = load_catalogue().in_force(interface, MONTH)
    wanted = SOUND[interface] if rows is None else rows
    schema = {item.id: pl.Date() if item.type.is_date else pl.String() for item in specification.data.items}
    used = {name: kind for name, kind in schema.items() if any(name in row for row in wanted)}
    content = codec.compose(specification, MONTH, pl.DataFrame(wanted, schema=used), HEADER).data
    path = town.server.root / "from_union" / file_name(specification, HEADER)
    leave(path, content, LONG_AGO)
    return path


def check_of(result: dg.ExecuteInProcessResult, name: str) -> dg.AssetCheckEvaluation:
    return next(check for check in result.get_asset_check_evaluations() if check.check_name == name)


def decide(town: Town) -> None:
    environment = town.deployment.environment
    path = monthly.worksheet_path(environment, MONTH)
    assert monthly.import_worksheet(environment, fill(path)).problems == []


def test_a_month_from_the_candidates_to_the_confirmation(town: Town, clock: None) -> None:
    environment = town.deployment.environment
    nothing = town.take_in(MONTH, "monthly_candidates")
    assert nothing.success
    assert town.materialised("continuity_worksheet") == set()

    delivered(town, "continuity_candidates")
    assert town.take_in(MONTH, "monthly_candidates").success
    assert town.materialised("continuity_worksheet") == {"2026-04-01"}
    sheet = openpyxl.load_workbook(monthly.worksheet_path(environment, MONTH))["判定"]
    assert [sheet.cell(2, column).value for column in (1, 2, 3)] == ["000001", "継続", "A1"]

    waiting = town.run(MONTH, "monthly_instruction")
    assert waiting.success, "waiting for the clerk is no failed run"
    decided = check_of(waiting, "every_candidate_is_decided")
    assert not decided.passed
    assert decided.severity == dg.AssetCheckSeverity.WARN
    assert decided.metadata["待っている営業日数"].value == 2
    assert town.materialised("continuity_instruction") == set()

    decide(town)
    sent = town.run(MONTH, "monthly_instruction")
    assert check_of(sent, "every_candidate_is_decided").passed
    assert town.sent() == ["KRKKS_999997_202604_000001.csv"]
    assert town.materialised("continuity_instruction") == {"2026-04-01"}
    before = (town.server.root / "to_union" / town.sent()[0]).read_bytes()
    assert town.run(MONTH, "monthly_instruction").success
    assert (town.server.root / "to_union" / town.sent()[0]).read_bytes() == before

    delivered(town, "continuity_result", SOUND["continuity_result"][:1])
    delivered(town, "high_cost_handover")
    environment.store.write("benefit_extract", MONTH.isoformat(), no_benefits())
    results = town.take_in(MONTH, "monthly_results")
    assert results.success
    assert check_of(results, "instruction_result_and_handover_agree").passed
    assert town.materialised("high_cost_counts") == {"2026-04-01"}
    (found,) = environment.store.read("high_cost_counts", MONTH.isoformat()).to_dicts()
    assert (found["household_number"], found["count"]) == ("000000000000031", 2)


def no_benefits() -> pl.DataFrame:
    names = ("household_number", "treatment_month", "outpatient_only", "high_cost_amount")
    return pl.DataFrame(schema=dict.fromkeys(names, pl.String))


def test_a_quarantined_candidates_list_is_red_and_nothing_is_judged(town: Town, clock: None) -> None:
    path = delivered(town, "continuity_candidates")
    written = path.stat().st_mtime
    path.write_bytes(path.read_bytes().replace(b",000001,2,", b",000001,5,"))
    os.utime(path, (written, written))
    result = town.take_in(MONTH, "monthly_candidates")
    assert not result.success
    assert "KR-7306" in (check_of(result, "continuity_candidates_is_valid").description or "")
    assert not town.deployment.environment.store.exists("continuity_candidates", "2026-04-01")


def test_a_file_is_applied_only_when_its_records_are_kept(
    town: Town, clock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered(town, "continuity_candidates")
    write = Store.write

    def full(store: Store, asset: str, partition: str, table: pl.DataFrame) -> Path:
        if asset == "continuity_candidates":
            raise OSError(errno.ENOSPC, "no space left on device")
        return write(store, asset, partition, table)

    monkeypatch.setattr(Store, "write", full)
    result = town.take_in(MONTH, "monthly_candidates")
    said = [str(event.step_failure_data.user_failure_data) for event in result.get_step_failure_events()]
    assert "KR-6211" in "".join(said)
    ledger = town.deployment.environment.ledger
    assert [entry.state for entry in ledger.entries(interfaces={"continuity_candidates"})] == ["verified"]
    monkeypatch.setattr(Store, "write", write)
    assert town.run(MONTH, "monthly_candidates").success
    assert [entry.state for entry in ledger.entries(interfaces={"continuity_candidates"})] == ["applied"]
    assert town.materialised("continuity_worksheet") == {"2026-04-01"}


def test_a_changed_decision_after_the_instruction_is_refused(town: Town, clock: None) -> None:
    delivered(town, "continuity_candidates")
    town.take_in(MONTH, "monthly_candidates")
    decide(town)
    town.run(MONTH, "monthly_instruction")
    environment = town.deployment.environment

    def refuse(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
        sheet.cell(2, DECISION, "非継続")
        sheet.cell(2, DECISION + 1, "申出により")

    changed = fill(monthly.worksheet_path(environment, MONTH), refuse)
    settings = {"RENKEI_SETTINGS": str(town.folder / "renkei.toml")}
    refused = CliRunner(env=settings).invoke(main, ["continuity", "import", str(changed)])
    assert (refused.exit_code, refused.output[:7]) == (2, "KR-7417")
    assert monthly.decided(environment, MONTH)["decision"].to_list() == ["continued"]


def test_what_does_not_agree_is_a_warning_that_names_the_question(town: Town, clock: None) -> None:
    delivered(town, "continuity_candidates")
    town.take_in(MONTH, "monthly_candidates")
    decide(town)
    town.run(MONTH, "monthly_instruction")
    strange = SOUND["continuity_result"][0] | {"candidate_number": "000099", "new_household_number": "000000000000077"}
    delivered(town, "continuity_result", [SOUND["continuity_result"][0], strange])
    delivered(town, "high_cost_handover")
    town.deployment.environment.store.write("benefit_extract", MONTH.isoformat(), no_benefits())
    result = town.take_in(MONTH, "monthly_results")
    assert result.success
    agree = check_of(result, "instruction_result_and_handover_agree")
    assert not agree.passed
    assert {name[:7] for name in agree.metadata} == {"KR-8202"}


def test_missing_days_are_named_and_stop_only_what_needs_them(town: Town, clock: None) -> None:
    town.extract(MONTH)
    assert town.run(MONTH).success
    delivered(town, "continuity_candidates")
    present = check_of(town.take_in(MONTH, "monthly_candidates"), "all_business_days_present")
    assert not present.passed
    assert present.severity == dg.AssetCheckSeverity.WARN
    assert str(present.metadata["送付のない日"].value).startswith("2026-04-02、2026-04-03、2026-04-06")
    out = town.run(MONTH, "monthly_out")
    assert not out.success
    assert "KR-7202" in (check_of(out, "benefit_extract_is_valid").description or "")


@pytest.mark.parametrize(
    ("day", "steps"),
    [
        (dt.date(2026, 4, 30), {"out": "2026-04-01", "agreement": "2026-04-01"}),
        (dt.date(2026, 5, 1), {"candidates": "2026-04-01"}),
        (dt.date(2026, 5, 8), {"candidates": "2026-04-01", "instruction": "2026-04-01"}),
        (dt.date(2026, 5, 3), {}),
        (dt.date(2026, 5, 18), {"results": "2026-04-01"}),
    ],
)
def test_schedules_follow_the_calendar_of_the_union(town: Town, day: dt.date, steps: dict[str, str]) -> None:
    started = {}
    for schedule in (defs.resolve_schedule_def(f"{step.job}_schedule") for step in MONTHLY_STEPS):
        at = dt.datetime.combine(day, dt.time(19), dt.timezone(dt.timedelta(hours=9)))
        with dg.build_schedule_context(
            scheduled_execution_time=at,
            instance=town.instance,
            resources={"deployment": town.deployment},
            repository_def=town.repository,
        ) as context:
            data = schedule.evaluate_tick(context)
        for request in data.run_requests or []:
            started[schedule.name.removeprefix("monthly_").removesuffix("_schedule")] = request.partition_key
    assert started == steps


def test_the_sensor_sends_every_file_to_its_own_job(town: Town, clock: None) -> None:
    for interface in ("continuity_candidates", "continuity_result", "high_cost_handover"):
        delivered(town, interface)
    assert town.run(MONTH, "receive").success
    with dg.build_sensor_context(
        instance=town.instance, resources={"deployment": town.deployment}, repository_def=town.repository
    ) as context:
        data = defs.resolve_sensor_def("waiting_files_sensor").evaluate_tick(context)
    asked = [(request.job_name, request.partition_key) for request in data.run_requests or []]
    assert asked == [("monthly_candidates", "2026-04-01"), ("monthly_results", "2026-04-01")]


def test_dagster_keeps_no_name_and_no_household(town_on_disk: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_clock(town_on_disk, monkeypatch)
    delivered(town_on_disk, "continuity_candidates")
    town_on_disk.take_in(MONTH, "monthly_candidates")
    decide(town_on_disk)
    town_on_disk.run(MONTH, "monthly_instruction")
    kept = town_on_disk.everything_dagster_keeps()
    for secret in ("000000000000031", "900000000011", "給付太郎", "係長花子"):
        assert secret.encode() not in kept, secret


def test_an_instruction_goes_out_after_a_later_month_did(town: Town, clock: None) -> None:
    """History is carried by the next month; an instruction is not, so it is never superseded."""
    delivered(town, "continuity_candidates")
    town.take_in(MONTH, "monthly_candidates")
    decide(town)
    ledger = town.deployment.environment.ledger
    may = dt.date(2026, 5, 1)
    outbound_entry(ledger, "continuity_instruction", may, "KRKKS_999997_202605_000001.csv", DELIVERED)
    assert town.run(MONTH, "monthly_instruction").success
    assert town.sent() == ["KRKKS_999997_202604_000001.csv"]


def test_a_step_reads_only_the_tables_that_it_declares(
    town: Town, clock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of any partition: its inputs, its dependencies, and its own tables of earlier days and months."""
    undeclared: set[tuple[str, str]] = set()
    steps: set[str] = set()

    def watched(method: Callable[..., Any]) -> Callable[..., Any]:
        def watching(store: Store, asset: str, *rest: Any) -> Any:
            with suppress(dg.DagsterInvariantViolationError):
                step = dg.AssetExecutionContext.get().assets_def
                steps.add(step.node_def.name)
                if dg.AssetKey(asset) not in {*step.keys, *step.dependency_keys}:
                    undeclared.add((step.node_def.name, asset))
            return method(store, asset, *rest)

        return watching

    for name in ("read", "height"):
        monkeypatch.setattr(Store, name, watched(getattr(Store, name)))
    town.extract(MONTH)
    assert town.run(MONTH).success
    town.extract(dt.date(2026, 4, 2))
    assert town.run(dt.date(2026, 4, 2)).success
    assert town.take_in(MONTH, "daily_in").success
    town.run(MONTH, "monthly_out")
    delivered(town, "continuity_candidates")
    assert town.take_in(MONTH, "monthly_candidates").success
    decide(town)
    assert town.run(MONTH, "monthly_instruction").success
    delivered(town, "continuity_result", SOUND["continuity_result"][:1])
    delivered(town, "high_cost_handover")
    town.deployment.environment.store.write("benefit_extract", MONTH.isoformat(), no_benefits())
    assert town.take_in(MONTH, "monthly_results").success
    assert not undeclared, sorted(undeclared)
    assert {"municipal_extracts", "eligibility_files", "continuity_worksheet", "continuity_confirmed"} <= steps
