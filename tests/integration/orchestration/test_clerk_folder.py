"""The clerks' folder as Dagster serves it: the sensor finds what was dropped, the job imports it and writes the answer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import openpyxl
import pytest

from pipelines.continuity import monthly
from pipelines.deployment import Environment
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.orchestration.assembly import definitions
from pipelines.orchestration.resources import Deployment
from tests.support.applying import apply_monthly
from tests.support.candidates import THREE, listed
from tests.support.deployment import MONTH, NOW, fill, opened, type_in

COMMAND_OR_PATH = re.compile(r"renkei|--\w|\w/\w")


class Desk:
    """A month's worksheet, the folder into which it is dropped, and the sensor and the job that watch it."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.environment, self.instance = opened(folder), instance
        type_in(self.environment, "continuity_candidates", listed(*THREE), folder)
        apply_monthly(self.environment)
        self.worksheet = fill(monthly.make_worksheet(self.environment, MONTH).path)
        self.folder = self.environment.settings.clerks / "取込"
        self.deployment = Deployment(settings_path=str(folder / "renkei.toml"))
        self.definitions = definitions(self.deployment)
        self.repository = self.definitions.get_repository_def()
        self.cursor: str | None = None
        self.keys: set[str | None] = set()

    def drop(self, name: str, content: bytes | None = None, seconds_ago: float = 600) -> None:
        path = self.folder / name
        path.write_bytes(self.worksheet.read_bytes() if content is None else content)
        moment = NOW.timestamp() - seconds_ago
        os.utime(path, (moment, moment))

    def tick(self) -> tuple[list[dg.RunRequest], str]:
        """The runs that the sensor asks for and Dagster has not started yet, or what it says instead."""
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            resources={"deployment": self.deployment},
            repository_def=self.repository,
        ) as context:
            data = self.definitions.resolve_sensor_def("clerk_folder_sensor").evaluate_tick(context)
        self.cursor = data.cursor
        fresh = [request for request in data.run_requests or [] if request.run_key not in self.keys]
        self.keys |= {request.run_key for request in fresh}
        return fresh, data.skip_message or ""

    def serve(self) -> dict[str, object]:
        """The run that the sensor asks for; what its asset says."""
        (request,), said = self.tick()
        assert (request.job_name, said) == ("clerk_folder", "")
        job = self.repository.get_job("clerk_folder")
        result = job.execute_in_process(instance=self.instance, partition_key=request.partition_key)
        (made,) = result.asset_materializations_for_node("answered_worksheets")
        return {name: value.value for name, value in made.metadata.items() if name.endswith("判定表")}

    def answer(self, name: str) -> list[str]:
        return (self.folder / f"{name}_回答.txt").read_text(encoding="utf-8-sig").splitlines()[4:]

    @property
    def decided(self) -> int:
        return monthly.decided(self.environment, MONTH).height


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    open_environment = Environment.open
    monkeypatch.setattr(
        Environment, "open", lambda settings, *_, **more: open_environment(settings, **more | {"clock": lambda: NOW})
    )
    with dg.DagsterInstance.ephemeral() as instance:
        yield Desk(tmp_path, instance)


def of_month(book: Path, month: str) -> bytes:
    changed = openpyxl.load_workbook(book)
    changed["印"]["A1"] = month
    path = book.with_name("of_another_month.xlsx")
    changed.save(path)
    return path.read_bytes()


def test_a_dropped_worksheet_is_imported_and_answered_once_however_often_it_is_dropped(desk: Desk) -> None:
    assert desk.tick() == ([], "新しい判定表はありません")
    desk.drop("判定表.xlsx")
    assert desk.serve() == {"取り込んだ判定表": 1, "取り込めない判定表": 0}
    assert desk.answer("判定表.xlsx")[0] == "令和8年4月の判定 3件を取り込みました。"
    assert desk.decided == 3
    assert desk.tick() == ([], "新しい判定表はありません")
    desk.drop("判定表.xlsx")
    assert desk.tick() == ([], "新しい判定表はありません"), "the same book again is answered already"
    desk.drop("もう一度.xlsx")
    assert desk.serve() == {"取り込んだ判定表": 1, "取り込めない判定表": 0}
    assert desk.answer("もう一度.xlsx")[0] == "令和8年4月の取込済みの判定表です。変更はありません。"
    assert desk.decided == 3
    assert [event.detail["new"] for event in desk.environment.ledger.events_of(LedgerEvent.WORKSHEET_IMPORTED)] == [
        3,
        0,
    ]


def test_a_worksheet_that_is_being_copied_waits_and_what_stays_half_is_answered(desk: Desk) -> None:
    half = desk.worksheet.read_bytes()[:4000]
    desk.drop("判定表.xlsx", half, seconds_ago=5)
    asked, said = desk.tick()
    assert (asked, "KR-6331" in said, list(desk.folder.glob("*_回答.txt"))) == ([], True, [])
    desk.drop("判定表.xlsx", half)
    assert desk.serve() == {"取り込んだ判定表": 0, "取り込めない判定表": 1}
    assert desk.answer("判定表.xlsx")[:2] == [
        "取り込めませんでした。",
        "KR-7401 判定表.xlsx は Excel ブック（.xlsx）として読めません",
    ]
    assert desk.decided == 0
    desk.drop("判定表.xlsx")
    assert desk.serve() == {"取り込んだ判定表": 1, "取り込めない判定表": 0}
    assert (desk.answer("判定表.xlsx")[0], desk.decided) == ("令和8年4月の判定 3件を取り込みました。", 3)


def test_what_is_no_worksheet_of_the_month_is_answered_in_words_beside_one_that_is_taken(desk: Desk) -> None:
    desk.drop("三月.xlsx", of_month(desk.worksheet, "2026-03"))
    desk.drop("手紙.docx", b"a letter")
    desk.drop("判定表.xlsx")
    assert desk.serve() == {"取り込んだ判定表": 1, "取り込めない判定表": 2}
    assert desk.decided == 3
    for name, code in (("三月.xlsx", "KR-7418"), ("手紙.docx", "KR-7401")):
        refused, why, remedy = desk.answer(name)[:3]
        assert (refused, why[:7], remedy[:4]) == ("取り込めませんでした。", code, "対処: ")
        assert not COMMAND_OR_PATH.search(why + remedy), remedy


def test_what_no_clerk_can_mend_fails_the_run_and_is_not_answered(desk: Desk) -> None:
    desk.drop("判定表.xlsx")
    (request,), _ = desk.tick()
    for table in (desk.environment.settings.data_folder / "assets" / "continuity_candidates").glob("*.parquet"):
        table.write_bytes(b"damaged")
    job = desk.repository.get_job("clerk_folder")
    result = job.execute_in_process(instance=desk.instance, partition_key=request.partition_key, raise_on_error=False)
    assert not result.success
    assert list(desk.folder.glob("*_回答.txt")) == []
