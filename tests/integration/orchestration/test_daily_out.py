"""The daily sending through Dagster's own doors: definitions, jobs, partitions, checks, schedule."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import openpyxl
import polars as pl
import pytest
from click.testing import CliRunner

from fixtures.counterpart.delivery import leave
from fixtures.defects import FOLDER
from interfaces import codec
from interfaces.catalogue import DEFAULT_ROOT, load_catalogue
from interfaces.messages import RenkeiError
from interfaces.naming import file_name
from pipelines.cli import main
from pipelines.configuration.settings import Settings
from pipelines.definitions import defs
from pipelines.deployment import Environment
from pipelines.eligibility import daily
from pipelines.eligibility.files import FILES, Violations
from pipelines.eligibility.intake import read_extracts
from pipelines.eligibility.withholding import split
from pipelines.exchange.ledger.states import EntryState
from pipelines.orchestration.assembly import definitions
from schemas.rules.periods import runs
from tests.support.entries import moved
from tests.support.town import DAY, OURS, Town

NEXT, THIRD = dt.date(2026, 4, 2), dt.date(2026, 4, 3)
SECRETS = ("合成　", "999")


def test_a_day_is_sent_and_a_second_run_is_a_recorded_no_op(town: Town) -> None:
    town.extract(DAY)
    first = town.run(DAY)
    assert first.success
    names = ["KRKOJ_999997_20260401_000001.csv", "KRSET_999997_20260401_000001.csv"]
    assert town.sent() == names
    before = {name: (town.server.root / "to_union" / name).read_bytes() for name in names}
    checks = first.get_asset_check_evaluations()
    assert {c.check_name for c in checks} == {
        "resident_extract_is_valid",
        "insured_extract_is_valid",
        "household_extract_is_valid",
        "eligibility_household_is_valid",
        "eligibility_individual_is_valid",
        "counts_add_up",
        "nothing_awaits_approval",
    }
    assert all(check.passed for check in checks)
    again = town.run(DAY)
    assert again.success
    assert {name: (town.server.root / "to_union" / name).read_bytes() for name in names} == before
    actions = [event.action for event in town.deployment.environment.ledger.events()]
    assert actions.count("sent") == 2


def test_a_bad_extract_leaves_no_file_and_a_red_partition(town: Town) -> None:
    resident = next(path for path in town.extract(DAY) if path.name.startswith("resident"))
    resident.write_bytes(resident.read_bytes().replace("氏名".encode(), "名前".encode(), 1))
    result = town.run(DAY)
    assert not result.success
    assert town.sent() == []
    assert town.materialised("resident_extract") == set()
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [check.check_name for check in failed] == ["resident_extract_is_valid"]
    assert "KR-7203" in (failed[0].description or "")
    (report,) = re.findall(r"(/\S+\.xlsx)", str(failed[0].metadata["対処"].value))
    assert Path(report).is_file()
    resident.write_bytes(resident.read_bytes().replace("名前".encode(), "氏名".encode(), 1))
    assert town.run(DAY).success
    assert len(town.sent()) == 2


@pytest.mark.parametrize("spoil", ["unreadable", "nameless"])
def test_a_row_that_names_nobody_stops_the_day_instead_of_withdrawing_somebody(town: Town, spoil: str) -> None:
    town.extract(DAY)
    assert town.run(DAY).success
    insured = next(path for path in town.extract(NEXT) if path.name.startswith("insured"))
    lines = insured.read_bytes().split(b"\n")
    cells = lines[1].split(b",")
    lines[1] = b",".join(cells[:-1]) if spoil == "unreadable" else b",".join([cells[0], b"", *cells[2:]])
    insured.write_bytes(b"\n".join(lines))
    result = town.run(NEXT)
    assert not result.success
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [("KR-7211" in (check.description or "")) for check in failed] == [True]
    assert [name for name in town.sent() if "20260402" in name] == []


def test_a_sent_day_run_again_on_other_extracts_changes_nothing(town: Town) -> None:
    resident = next(path for path in town.extract(DAY) if path.name.startswith("resident"))
    assert town.run(DAY).success
    outbox = town.folder / "data" / "outbox" / DAY.isoformat()
    before = {path.name: path.read_bytes() for path in outbox.iterdir()}
    baseline = town.deployment.environment.store.read("sent_people", DAY.isoformat())
    resident.write_bytes(resident.read_bytes().replace("合成　".encode(), "合成　新".encode()))
    result = town.run(DAY)
    assert not result.success
    assert {path.name: path.read_bytes() for path in outbox.iterdir()} == before
    assert town.deployment.environment.store.read("sent_people", DAY.isoformat()).equals(baseline)
    town.extract(NEXT)
    assert town.run(NEXT).success


def test_a_baseline_that_is_not_what_was_sent_stops_the_day(town: Town) -> None:
    town.extract(DAY)
    assert town.run(DAY).success
    store = town.deployment.environment.store
    store.write("sent_people", DAY.isoformat(), store.read("sent_people", DAY.isoformat()).head(1))
    town.extract(NEXT)
    assert not town.run(NEXT).success
    assert [name for name in town.sent() if "20260402" in name] == []


def test_an_older_day_after_a_newer_one_is_superseded(town: Town) -> None:
    town.extract(DAY)
    town.extract(NEXT)
    assert town.run(NEXT).success
    assert town.run(DAY).success
    assert [name for name in town.sent() if "20260401" in name] == []
    states = {entry.state for entry in town.deployment.environment.ledger.entries(partition=DAY)}
    assert states <= {"superseded"}


def test_a_day_without_its_extract_says_so_and_loses_nothing(town: Town) -> None:
    town.extract(DAY)
    assert town.run(DAY).success
    result = town.run(NEXT)
    assert not result.success
    text = json.dumps([str(event.event_specific_data) for event in result.all_events if event.is_failure], default=str)
    assert "KR-7202" in text
    town.extract(NEXT)
    assert town.run(NEXT).success


@pytest.mark.parametrize(
    ("defect", "told"),
    [
        ("extract_that_lost_30_percent_of_its_rows", "KR-7201 insured_extract の行数が 10 から 7 に減りました"),
        ("yesterdays_extract_delivered_again", "（KR-4006）"),
    ],
)
def test_a_wrong_delivery_stops_the_day_and_loses_nothing(town: Town, defect: str, told: str) -> None:
    extracts = town.folder / "extracts"
    shutil.copytree(FOLDER / "sound_town", extracts, dirs_exist_ok=True)
    assert town.run(DAY).success
    sent = town.sent()
    (spoilt,) = (FOLDER / defect).iterdir()
    shutil.copy(spoilt, extracts)
    result = town.run(NEXT)
    assert not result.success
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [told in (check.description or "") for check in failed] == [True]
    if "KR-7201" in told:
        assert f"renkei run daily --date {NEXT} --confirm " in str(failed[0].metadata["対処"].value)
    assert town.sent() == sent
    assert town.materialised("resident_extract") == {DAY.isoformat()}
    shutil.copy(FOLDER / "sound_town" / spoilt.name, extracts)
    assert town.run(NEXT).success
    assert len(town.sent()) == 2 + len(sent)


def test_who_breaks_a_rule_is_held_with_the_household_until_it_is_mended(town: Town) -> None:
    resident = next(path for path in town.extract(DAY) if path.name.startswith("resident"))
    sound = resident.read_bytes()
    insured = (town.folder / "extracts" / "insured_999997_20260401.csv").read_text(encoding="utf-8").splitlines()
    person = insured[1].split(",")[1].encode()
    line = next(line for line in sound.splitlines() if line.split(b",")[1] == person)
    spoilt = line.replace("合成　".encode(), "合成𠀋　".encode(), 1)
    resident.write_bytes(sound.replace(line, spoilt))
    assert town.run(DAY).success
    store = town.deployment.environment.store
    withheld = store.read("withheld_list", DAY.isoformat())
    assert person.decode() in withheld["resident_number"].to_list()
    own = withheld.filter(pl.col("resident_number") == person.decode())["household_number"].item()
    assert set(withheld["household_number"]) == {own}
    file = (town.server.root / "to_union" / "KRKOJ_999997_20260401_000001.csv").read_bytes()
    assert person not in file
    shown = CliRunner().invoke(
        main, ["withheld", "--date", DAY.isoformat()], env={"RENKEI_SETTINGS": str(town.folder / "renkei.toml")}
    )
    assert shown.exit_code == 0, shown.output
    assert f"宛名番号 …{person.decode()[-3:]} 本人の誤り KR-1021" in shown.output
    assert person.decode() not in shown.output
    sheet = openpyxl.load_workbook(town.folder / "clerk" / f"要修正一覧_{DAY}.xlsx")["要修正一覧"]
    rows = [row for row in sheet.iter_rows(min_row=3, values_only=True) if row[2] == person.decode()]
    assert [(row[1], row[5], str(row[8]).split()[0]) for row in rows] == [(own, "氏名", "KR-1021")]
    kept = store.read("build_findings", DAY.isoformat()).filter(code="KR-1021")
    assert kept["line"].to_list() == [None], "the line of a draft that was thrown away is somebody else's now"
    town.extract(NEXT)
    assert town.run(NEXT).success
    assert person in (town.server.root / "to_union" / "KRKOJ_999997_20260402_000001.csv").read_bytes()


@pytest.mark.parametrize("heads", [0, 2])
def test_a_household_without_its_one_head_is_held_whole(town: Town, heads: int) -> None:
    town.extract(DAY)
    environment = town.deployment.environment
    extracts = read_extracts(environment, DAY)
    people, households = daily.snapshot_of(extracts.tables, DAY)
    insured = people.filter(runs(DAY))
    headed = insured.filter((pl.col("head_kind") == "insured_head").any().over("household_number"))
    home = headed.filter(pl.len().over("household_number") > 2).sort("household_number")["household_number"][0]
    family = insured.filter(household_number=home).sort("head_kind")["resident_number"].to_list()
    kinds = dict(zip(family, ["insured_head"] * heads + ["member"] * len(family), strict=False))
    people = people.with_columns(
        head_kind=pl.col("resident_number").replace_strict(kinds, default=pl.col("head_kind"), return_dtype=pl.String)
    )
    violations = Violations(extracts.faults, extracts.findings)
    built = daily.build_day(environment, DAY, people, households, extracts.my_numbers, violations)
    withheld = people.filter(household_number=home)["resident_number"]
    assert set(built.withheld["resident_number"]) == set(withheld)
    assert not set(built.sent.people["resident_number"]) & set(withheld)
    assert home not in built.sent.households["household_number"]
    own = built.withheld.filter(reason="本人の誤り")["resident_number"]
    assert set(own) == set(family[:heads] if heads else family)
    found = built.findings.filter(code="KR-5004")
    assert found.select("expected", "value").rows() == [("世帯主1人", f"世帯主{heads}人")] * len(own)


def test_dagster_keeps_no_personal_data(town_on_disk: Town) -> None:
    town_on_disk.extract(DAY)
    assert town_on_disk.run(DAY).success
    kept = town_on_disk.everything_dagster_keeps()
    numbers = town_on_disk.prefecture.my_numbers(OURS.code, DAY)["my_number"].drop_nulls()
    assert not [number for number in numbers if number.encode() in kept]
    names = pl.read_csv(town_on_disk.folder / "extracts" / "resident_999997_20260401.csv", infer_schema=False)["氏名"]
    assert not [name for name in names if name.encode() in kept]
    assert "資格情報(個人)".encode() in kept or b"eligibility_individual" in kept


def test_an_unexpected_error_is_kept_apart_for_the_owner_alone(
    town_on_disk: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town_on_disk.extract(DAY)

    def crash(*_: object) -> None:
        raise ValueError("合成　秘密 123456789018")

    monkeypatch.setattr("pipelines.eligibility.daily.snapshot_of", crash)
    assert not town_on_disk.run(DAY).success
    kept = town_on_disk.everything_dagster_keeps()
    assert "合成　秘密".encode() not in kept
    assert b"123456789018" not in kept
    log = town_on_disk.folder / "data" / "unexpected_errors.log"
    assert log.stat().st_mode & 0o077 == 0
    told = log.read_text(encoding="utf-8")
    assert "ValueError" in told
    assert "crash" in told
    assert "合成　秘密" not in told
    assert "123456789018" not in told


def test_my_numbers_lie_encrypted_and_nowhere_else_but_in_the_file(town: Town) -> None:
    town.extract(DAY)
    assert town.run(DAY).success
    numbers = [n.encode() for n in town.prefecture.my_numbers(OURS.code, DAY)["my_number"].drop_nulls()]
    environment = town.deployment.environment
    holders = set()
    for path in (town.folder / "data").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(number in content for number in numbers), path.name
            if path.suffix == ".parquet":
                content = str(environment.store.read(path.parent.name, path.stem).to_dicts()).encode()
            elif path.suffix == ".p7m":
                content = environment.file_store.read(path)
            if any(number in content for number in numbers):
                holders.add(path.parent.name if path.suffix == ".parquet" else path.name.partition("_")[2])
    assert holders == {"my_numbers", "sent_my_numbers", "KRKOJ_999997_20260401_000001.csv.p7m"}


def quiet(town: Town) -> None:
    """The next day's extracts say the same as today's."""
    for path in town.extract(DAY):
        text = path.read_text(encoding="utf-8").replace("2026-04-01\n", "2026-04-02\n")
        Path(str(path).replace("20260401", "20260402")).write_text(text, encoding="utf-8")


def test_a_quiet_day_makes_files_without_records(town: Town) -> None:
    quiet(town)
    assert town.run(DAY).success
    assert town.run(NEXT).success
    for name in ("KRSET_999997_20260402_000001.csv", "KRKOJ_999997_20260402_000001.csv"):
        lines = (town.server.root / "to_union" / name).read_bytes().split(b"\r\n")
        assert [line[:9] for line in lines] == [b"1,0000001", b"3,0000002", b""]


def test_a_quiet_day_makes_no_file_where_the_specification_wants_none(town: Town, tmp_path: Path) -> None:
    root = tmp_path / "catalogue"
    shutil.copytree(DEFAULT_ROOT, root)
    for interface in ("eligibility_household", "eligibility_individual"):
        plan = root / interface / "2018-04-01" / "file.toml"
        plan.write_text(plan.read_text(encoding="utf-8").replace('"zero_record_file"', '"no_file"'), encoding="utf-8")
    settings = town.folder / "renkei.toml"
    settings.write_text(f'catalogue_folder = "{root}"\n' + settings.read_text(encoding="utf-8"), encoding="utf-8")
    quiet(town)
    assert town.run(DAY).success
    assert town.run(NEXT).success
    assert [name for name in town.sent() if "20260402" in name] == []
    actions = [event.action for event in town.deployment.environment.ledger.events()]
    assert "quiet_day" in actions


def newest_day(town: Town) -> str | None:
    days = town.repository.get_job("receive").partitions_def
    assert days is not None
    return days.get_last_partition_key()


def test_the_sensor_asks_once_for_one_delivery(town: Town) -> None:
    remembered: list[str | None] = [None]

    def asked() -> list[dg.RunRequest]:
        context = dg.build_sensor_context(
            cursor=remembered[0], resources={"deployment": town.deployment}, repository_def=town.repository
        )
        ticks: Any = defs.resolve_sensor_def("arrival_sensor")(context)
        found = [tick for tick in ticks if isinstance(tick, dg.RunRequest)]
        remembered[0] = context.cursor
        return found

    assert asked() == []
    folder = town.server.root / "from_union"
    leave(folder / "KRSID_999997_20260401_000001.csv", b"x")
    leave(folder / "KRSHU_999997_20260401_000001.csv", b"x")
    (folder / "nested").mkdir()
    first, again = asked(), asked()
    assert [request.partition_key for request in first] == [newest_day(town)]
    assert [request.run_key for request in first] == [request.run_key for request in again]
    leave(folder / "KRSHU_999997_20260401_000001.csv", b"longer")
    assert [request.run_key for request in asked()] != [request.run_key for request in first]


def test_a_quarantined_arrival_is_a_red_partition_and_the_rest_is_taken_in(town: Town) -> None:
    town.extract(DAY)
    assert town.run(DAY).success
    folder = town.server.root / "from_union"
    header = {
        "municipality_code": OURS.code,
        "insurer_number": OURS.insurer_number,
        "prefecture_code": "99",
        "media_kind": "transmission",
        "created_on": DAY,
        "file_number": "000001",
    }
    for interface in ("municipal_id_linkage", "acquisition_loss_linkage", "verification_list"):
        specification = load_catalogue().in_force(interface, DAY)
        empty = codec.compose(
            specification, DAY, pl.DataFrame({"resident_number": []}, {"resident_number": pl.String}), header
        )
        data = empty.data if interface != "verification_list" else empty.data[:-5]
        leave(folder / file_name(specification, header), data)
    result = town.take_in(DAY, "daily_in")
    assert not result.success
    assert town.materialised("municipal_id_linkage") == {DAY.isoformat()}
    assert town.materialised("acquisition_loss_linkage") == {DAY.isoformat()}
    assert town.materialised("verification_list") == set()
    assert town.materialised("reception_result") == set()
    missing = [check for check in result.get_asset_check_evaluations() if check.severity == dg.AssetCheckSeverity.WARN]
    assert [(check.check_name, check.passed) for check in missing] == [("reception_result_is_valid", False)]
    failed = [c for c in result.get_asset_check_evaluations() if not c.passed and c not in missing]
    assert [(check.check_name, "KR-7306" in (check.description or "")) for check in failed] == [
        ("verification_list_is_valid", True)
    ]
    (quarantined,) = town.deployment.environment.ledger.entries(states={EntryState.QUARANTINED})
    (step,) = result.get_step_failure_events()
    assert step.step_failure_data.error
    shown = step.step_failure_data.error.to_string()
    assert shown.startswith(f"KR-7306 {quarantined.file_name} ")
    assert f"renkei quarantine show {quarantined.id} " in shown
    assert "masked" not in shown and "File " not in shown


def renamed(town: Town, root: Path) -> None:
    """A catalogue of the town's own, in which the extracts have other names."""
    shutil.copytree(DEFAULT_ROOT, root)
    for interface in ("resident", "insured", "household"):
        plan = root / f"{interface}_extract" / "2018-04-01" / "file.toml"
        plan.write_text(
            plan.read_text(encoding="utf-8").replace(
                f'file_name = "{interface}_', f'file_name = "kokuho_{interface[0]}_'
            ),
            encoding="utf-8",
        )
    settings = town.folder / "renkei.toml"
    settings.write_text(f'catalogue_folder = "{root}"\n' + settings.read_text(encoding="utf-8"), encoding="utf-8")
    for path in town.extract(DAY):
        path.rename(path.with_name("kokuho_" + path.name[0] + path.name[path.name.index("_") :]))


def test_findings_stand_at_their_own_extract_whatever_the_files_are_called(town: Town, tmp_path: Path) -> None:
    renamed(town, tmp_path / "catalogue")
    resident = town.folder / "extracts" / "kokuho_r_999997_20260401.csv"
    sound = resident.read_bytes()
    first = sound.split(b"\n")[1]
    cells = first.split(b",")
    resident.write_bytes(sound.replace(first, b",".join([*cells[:8], b"2023-02-29", *cells[9:]])))
    result = town.run(DAY)
    assert result.success
    wrong = {
        c.asset_key.path[-1]: c.metadata["違反件数"].value
        for c in result.get_asset_check_evaluations()
        if c.asset_key.path[-1].endswith("_extract")
    }
    assert wrong == {"resident_extract": 1, "insured_extract": 0, "household_extract": 0}
    resident.write_bytes(sound.replace("氏名".encode(), "名前".encode(), 1))
    failed = [c.check_name for c in town.run(DAY).get_asset_check_evaluations() if not c.passed]
    assert failed == ["resident_extract_is_valid"]


def test_the_specification_one_click_away_is_the_municipalitys_own(town: Town, tmp_path: Path) -> None:
    renamed(town, tmp_path / "catalogue")
    repository = definitions(town.deployment).get_repository_def()
    key = dg.AssetKey("resident_extract")
    own, embedded = (
        str(one.assets_defs_by_key[key].metadata_by_key[key]["仕様"]) for one in (repository, town.repository)
    )
    assert "kokuho_r_{municipality_code}" in own
    assert "kokuho_r_" not in embedded
    for interface in load_catalogue().ids():
        key = dg.AssetKey(interface)
        if key in repository.assets_defs_by_key:
            assert "仕様" in repository.assets_defs_by_key[key].metadata_by_key[key], interface


def test_a_person_who_is_neither_sent_nor_held_is_a_red_check_and_nothing_leaves(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_one(*arguments: Any) -> Any:
        sent, waiting = split(*arguments)
        return replace(sent, people=sent.people.tail(-1)), waiting

    monkeypatch.setattr("pipelines.eligibility.files.split", lose_one)
    town.extract(DAY)
    result = town.run(DAY)
    assert not result.success
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [(check.check_name, "KR-7204" in (check.description or "")) for check in failed] == [("counts_add_up", True)]
    assert town.sent() == []


def test_whatever_starts_runs_is_on_without_anybody_switching_it_on(town: Town) -> None:
    for schedule in town.repository.schedule_defs:
        assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING, schedule.name
    for sensor in town.repository.sensor_defs:
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING, sensor.name
    assert {one.name for one in town.repository.sensor_defs} == {
        "arrival_sensor",
        "waiting_files_sensor",
        "clerk_folder_sensor",
        "failure_alerts",
    }
    assert len(town.repository.schedule_defs) == 7


def test_the_schedule_knows_the_holidays(town: Town) -> None:
    def asked(day: dt.date) -> object:
        at = dt.datetime(day.year, day.month, day.day, 18, tzinfo=dt.timezone(dt.timedelta(hours=9)))
        context = dg.build_schedule_context(scheduled_execution_time=at, repository_def=town.repository)
        return defs.resolve_schedule_def("daily_out_schedule")(context)

    assert isinstance(asked(dt.date(2026, 4, 29)), dg.SkipReason)
    request = asked(dt.date(2026, 4, 30))
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2026-04-30"


def test_the_watch_names_what_is_missing_and_never_fails(town: Town) -> None:
    town.extract(DAY)
    assert town.run(DAY).success
    result = town.run(NEXT, "daily_watch")
    assert result.success
    check, failed, _mailed = result.get_asset_check_evaluations()
    assert (check.passed, failed.passed) == (False, True)
    assert {name[:7] for name in check.metadata} == {"KR-6501", "KR-6502", "KR-6503", "最も古いものの"}
    assert town.materialised("outstanding") == {"2026-04-02"}


@pytest.mark.parametrize(
    ("day", "partition"), [("2026-04-06", "2026-04-03"), ("2026-05-07", "2026-05-01"), ("2026-04-05", None)]
)
def test_the_watch_looks_at_the_business_day_before(day: str, partition: str | None) -> None:
    at = dt.datetime.fromisoformat(f"{day}T08:30:00+09:00")
    request: Any = defs.resolve_schedule_def("daily_watch_schedule")(
        dg.build_schedule_context(scheduled_execution_time=at)
    )
    assert getattr(request, "partition_key", None) == partition


def test_a_day_brought_by_other_means_is_the_baseline_of_the_next(town: Town) -> None:
    """The server is away; the operator carries the files over on a medium, says so, and the next day goes on from it."""
    town.extract(DAY)
    config = town.folder / "renkei.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(f"port = {town.server.port}", "port = 1\nattempts = 1"), encoding="utf-8")
    away = Environment.open(Settings.load(config))
    refused = CliRunner().invoke(
        main, ["run", "daily", "--date", DAY.isoformat(), "--only", "out"], env={"RENKEI_SETTINGS": str(config)}
    )
    assert (refused.exit_code, "KR-62" in refused.stderr) == (2, True)
    (first, second) = daily.mark_day_sent(away, DAY, "媒体の人", "回線の障害のため媒体で搬送")
    assert (first.state, second.state) == ("sent", "sent")
    with pytest.raises(RenkeiError, match="KR-6118"):
        daily.mark_day_sent(away, DAY, "媒体の人", "もう一度")
    config.write_text(text, encoding="utf-8")
    assert town.run(DAY).success
    assert town.sent() == [], "what was carried over is not sent again"
    town.extract(NEXT)
    assert town.run(NEXT).success
    assert len(town.sent()) == 2
    ledger = town.deployment.environment.ledger
    entries = ledger.entries(partition=NEXT)
    assert {entry.baseline for entry in entries} == {DAY}
    carried = [event for event in ledger.events(first.id) if event.action == "sent"]
    assert (carried[0].operator, carried[0].detail["reason"]) == ("媒体の人", "回線の障害のため媒体で搬送")


def test_a_day_behind_a_later_one_cannot_be_marked(town: Town) -> None:
    town.extract(DAY)
    environment = town.deployment.environment
    extracts = read_extracts(environment, DAY)
    people, households = daily.snapshot_of(extracts.tables, DAY)
    built = daily.build_day(
        environment, DAY, people, households, extracts.my_numbers, Violations(extracts.faults, extracts.findings)
    )
    for asset, table in daily.tables_of_build(built).items():
        environment.store.write(asset, DAY.isoformat(), table)
    town.extract(NEXT)
    assert town.run(NEXT).success
    with pytest.raises(RenkeiError, match="KR-6119"):
        daily.mark_day_sent(environment, DAY, "媒体の人", "遅れて搬送")
    path = next((environment.settings.data_folder / "outbox" / NEXT.isoformat()).iterdir())
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(RenkeiError, match="KR-6115"):
        daily.mark_day_sent(environment, NEXT, "媒体の人", "変えられたもの")


def test_what_a_rejected_pair_told_all_the_same_is_told_anew(town: Town) -> None:
    """One file of the pair was accepted: what it told is at the Union, though the day is no baseline any more."""
    quiet(town)
    assert town.run(DAY).success
    extract = town.folder / "extracts" / "resident_999997_20260402.csv"
    sound = extract.read_text(encoding="utf-8")
    insured = (town.folder / "extracts" / "insured_999997_20260402.csv").read_text(encoding="utf-8").splitlines()
    person = insured[1].split(",")[1]
    line = next(line for line in sound.splitlines() if line.split(",")[1] == person)
    extract.write_text(sound.replace(line, line.replace("合成　", "合成　新", 1)), encoding="utf-8")
    assert town.run(NEXT).success
    ledger = town.deployment.environment.ledger
    for entry in ledger.entries(partition=NEXT):
        accepted = entry.interface == "eligibility_individual"
        moved(ledger, entry, "accepted" if accepted else "rejected")
    for path in (town.folder / "extracts").glob("*_20260402.csv"):
        text = sound if path == extract else path.read_text(encoding="utf-8")
        third = Path(str(path).replace("20260402", f"{THIRD:%Y%m%d}"))
        third.write_text(text.replace("2026-04-02\n", f"{THIRD}\n"), encoding="utf-8")
    assert town.run(THIRD).success
    told = (town.server.root / "to_union" / f"KRKOJ_999997_{THIRD:%Y%m%d}_000001.csv").read_text(encoding="cp932")
    assert line.split(",")[6] in next(record for record in told.splitlines() if person in record)
    changes = town.deployment.environment.store.read("eligibility_changes", THIRD.isoformat())
    assert changes.filter(resident_number=person)["change_kinds"].to_list() == [["氏名変更", "再通知"]]
    assert not town.deployment.environment.store.read("sent_people", THIRD.isoformat())["uncertain"].any()


@pytest.mark.parametrize("spoilt", ["eligibility_household", "sent_people"])
def test_files_and_state_of_two_makings_are_not_sent(town: Town, spoilt: str) -> None:
    town.extract(DAY)
    environment = town.deployment.environment
    extracts = read_extracts(environment, DAY)
    violations = Violations(extracts.faults, extracts.findings)
    built = daily.build_day(environment, DAY, *daily.snapshot_of(extracts.tables, DAY), extracts.my_numbers, violations)
    tables = daily.tables_of_build(built)
    for asset, table in tables.items():
        environment.store.write(asset, DAY.isoformat(), table)
    if spoilt == "sent_people":
        other = tables[spoilt].with_columns(name=pl.lit("合成　別人"))
    else:
        other = tables[spoilt].with_columns(snapshot_sha256=pl.lit("0" * 64))
    environment.store.write(spoilt, DAY.isoformat(), other)
    manifests = {interface: environment.store.read(interface, DAY.isoformat()) for interface in FILES}
    with pytest.raises(RenkeiError, match="KR-7215"):
        daily.dispatch(environment, DAY, manifests, None)
    assert town.sent() == []
