"""`make ui` as an operator and an analyst meet it in a browser: repair, materialise, backfill, lineage, columns, plots.

With RENKEI_PICTURES, a folder, the pictures of the documents are written there (`make pictures`).
"""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Response, expect, sync_playwright

from fixtures.counterpart.misbehaviour import Misbehaviour
from fixtures.world import NO_APPROVAL, World, settings_text
from pipelines.configuration.calendar import business_days
from tests.support.paths import ROOT
from tests.support.processes import renkei
from tests.support.servers import OpenSshServer, free_port, listens
from tests.support.waiting import eventually

SHIPPED = ROOT / "dagster_home" / "dagster.yaml"
DAYS = list(business_days(dt.date.today() - dt.timedelta(days=21), dt.date.today()))[-5:]
SENT, MISSED, NEXT, *LATER = DAYS
SHOWN_WITHIN = 180_000.0  # milliseconds: a run imports everything, on a machine that is busy
LOCATION = "pipelines.definitions"
FREE_OF_NODES = 400  # pixels from the upper left corner


class Office:
    """Our municipality at its command line and in the browser, with a Dagster home as shipped."""

    def __init__(self, folder: Path, server: OpenSshServer) -> None:
        self.folder, self.home, self.settings = folder, folder / "data" / "dagster_home", folder / "renkei.toml"
        more = f"{NO_APPROVAL}[limits]\nfloor = 100\n"  # days of a small town, all at once
        text = settings_text(server.host, server.port, server.user, server.private_key, server.host_key, more=more)
        text = text.replace('"999997/', f'"{server.root}/999997/')
        self.settings.write_text(text.replace("data_folder", f"first_day = {SENT}\ndata_folder", 1), encoding="utf-8")
        self.home.mkdir(mode=0o700, parents=True)
        shutil.copy(SHIPPED, self.home)
        self.environment = os.environ | {"RENKEI_SETTINGS": str(self.settings), "DAGSTER_HOME": str(self.home)}
        self.records = dg.DagsterInstance.from_config(str(self.home))
        self.world = World(server.root, folder / "extracts", SENT, seed=1, persons=300)

    def renkei(self, *arguments: str) -> int:
        return renkei(arguments, self.environment).returncode

    def live(self) -> None:
        """Before the browser: a day sent of whose answers one is cut off, and a day that failed for want of an extract."""
        self.world.live(SENT)
        assert self.renkei("run", "daily", "--date", SENT.isoformat(), "--only", "out") == 0
        self.world.night(SENT, Misbehaviour.truncated)
        assert self.renkei("run", "daily", "--date", SENT.isoformat(), "--only", "in") == 1
        assert self.renkei("run", "daily", "--date", MISSED.isoformat(), "--only", "out") == 2
        for day in (MISSED, NEXT, *LATER):
            self.world.live(day)

    def newest(self, job: str, day: dt.date) -> dg.DagsterRun:
        tags = {"dagster/partition": day.isoformat()}
        return next(iter(self.records.get_runs(dg.RunsFilter(job_name=job, tags=tags), limit=1)))

    def sent(self) -> set[dt.date]:
        return {
            dt.date.fromisoformat(partition)
            for partition in self.records.get_materialized_partitions(dg.AssetKey("eligibility_dispatch"))
        }


@pytest.fixture
def office(tmp_path: Path, openssh_server: OpenSshServer) -> Iterator[Office]:
    made = Office(tmp_path, openssh_server)
    made.live()
    yield made
    made.records.dispose()


@pytest.fixture
def address(office: Office) -> Iterator[str]:
    """`make ui`, ended by Ctrl-C; nothing of it is left then."""
    port = free_port()
    with (office.folder / "ui.log").open("wb") as log:
        ui = subprocess.Popen(
            ["make", "ui", "-o", ".venv/installed", f"DEMO={office.folder}", f"UI_PORT={port}"],
            cwd=ROOT,
            env=os.environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
            # A shell that runs the tests in the background has them ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    try:
        eventually(lambda: ui.poll() is not None or listens(port), "make ui")
        assert ui.poll() is None, (office.folder / "ui.log").read_text()
        yield f"http://127.0.0.1:{port}"
        os.killpg(ui.pid, signal.SIGINT)
        ui.wait(60)
        eventually(lambda: not _lives(ui.pid), "the end of all processes")
    finally:
        if _lives(ui.pid):
            os.killpg(ui.pid, signal.SIGKILL)


def _lives(group: int) -> bool:
    """Whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page on which nothing goes wrong: no error in the console, no answer of the server that is one."""
    wrong: list[str] = []
    context = browser.new_context(
        base_url=address, locale="ja-JP", timezone_id="Asia/Tokyo", viewport={"width": 1440, "height": 800}
    )
    opened = context.new_page()
    opened.set_default_timeout(SHOWN_WITHIN)

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(f"console: {message.text}")

    def answered(response: Response) -> None:
        if response.status >= 400:
            wrong.append(f"{response.status} {response.url}")

    opened.on("console", said)
    opened.on("pageerror", lambda error: wrong.append(f"page: {error}"))
    opened.on("response", answered)
    yield opened
    context.close()
    assert wrong == []


def shows(locator: Locator) -> None:
    expect(locator.first).to_be_visible(timeout=SHOWN_WITHIN)


def picture(page: Page, name: str) -> None:
    """A picture of the documents, when they are wanted."""
    folder = os.environ.get("RENKEI_PICTURES")
    if folder:
        page.mouse.move(0, 0)
        page.wait_for_timeout(2000)  # nothing moves any more
        page.screenshot(path=Path(folder) / f"{name}.png")


def repair(page: Page, office: Office) -> None:
    """The run that failed at the command line says why, and Re-execute makes the day good."""
    failed = office.newest("daily_out", MISSED)
    page.goto(f"/runs/{failed.run_id}")
    shows(page.get_by_text(f"KR-7202 {MISSED} の抽出"))
    assert not page.get_by_text("masked").count()
    page.get_by_role("button", name="Re-execute all (*)").click()
    page.wait_for_url(lambda url: "/runs/" in url and failed.run_id not in url)
    shows(page.get_by_text("RUN_SUCCESS"))
    shows(page.get_by_text("Success", exact=True))
    again = office.newest("daily_out", MISSED)
    assert (again.parent_run_id, again.status) == (failed.run_id, dg.DagsterRunStatus.SUCCESS)


def launch(page: Page, partitions: str) -> None:
    """Job → Materialize all… → these partitions → Launch."""
    page.goto(f"/locations/{LOCATION}/jobs/daily_out")
    page.get_by_text("Materialize all…").click()
    dialog = page.get_by_role("dialog")
    field = dialog.get_by_placeholder(re.compile("partition", re.IGNORECASE))
    field.fill(partitions)
    field.press("Enter")
    button = dialog.get_by_role("button", name=re.compile("^Launch"))
    expect(button).to_be_enabled(timeout=SHOWN_WITHIN)
    button.click()
    expect(dialog).to_be_hidden(timeout=SHOWN_WITHIN)


def materialise(page: Page, office: Office) -> None:
    """One day."""
    launch(page, NEXT.isoformat())
    eventually(lambda: NEXT in office.sent(), "the day")
    page.goto(f"/runs/{office.newest('daily_out', NEXT).run_id}")
    shows(page.get_by_text("RUN_SUCCESS"))
    shows(page.get_by_text("Success", exact=True))


def backfill(page: Page, office: Office) -> None:
    """Several days at once."""
    launch(page, f"[{LATER[0]}...{LATER[-1]}]")

    def status() -> set[BulkActionStatus]:
        return {one.status for one in office.records.get_backfills()} & {*BULK_ACTION_TERMINAL_STATUSES}

    eventually(status, "the backfill")
    assert status() == {BulkActionStatus.COMPLETED_SUCCESS}
    assert set(LATER) <= office.sent()
    page.goto("/runs")
    shows(page.get_by_text(f"{len(LATER)} partitions"))


def look(page: Page) -> None:
    """What an analyst looks at: the graph from the systems to the systems, the columns of a file, the numbers."""
    page.goto("/asset-groups")
    for group in ("municipal_systems", "extracts", "eligibility", "linkage", "continuity", "high_cost"):
        shows(page.get_by_text(group, exact=True))
    page.get_by_text("linkage", exact=True).last.click()  # the group in the graph, not in the list beside it
    shows(page.get_by_text("union_eligibility", exact=True))
    shows(page.get_by_text("linkage_state", exact=True))
    page.get_by_role("button", name="Hide navigation").click()
    page.mouse.dblclick(FREE_OF_NODES, FREE_OF_NODES)  # the whole graph
    picture(page, "lineage")
    page.goto("/assets/eligibility_individual?view=overview")
    shows(page.get_by_text("氏名（個人情報） 元: resident_extract.name"))
    picture(page, "columns")
    page.goto("/assets/eligibility_changes?view=overview")
    shows(page.get_by_text("異動 適用開始"))
    page.get_by_role("button", name="Plots").click()
    shows(page.locator("canvas"))
    page.get_by_text("異動 適用開始").first.scroll_into_view_if_needed()
    picture(page, "plots")
    page.goto(f"/locations/{LOCATION}/asset-groups/continuity/lineage")
    shows(page.get_by_text("union_continuity"))
    picture(page, "month-lineage")
    page.goto("/assets/acquisition_loss_linkage?view=checks")
    shows(page.get_by_text(re.compile("KR-7306")))
    picture(page, "quarantined-day")


@pytest.mark.slow
def test_repairs_and_looks_in_the_browser(page: Page, office: Office) -> None:
    repair(page, office)
    materialise(page, office)
    backfill(page, office)
    assert office.sent() == set(DAYS)
    look(page)
