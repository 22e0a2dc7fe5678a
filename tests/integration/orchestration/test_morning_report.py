"""The morning's 処理状況一覧: a page for the clerks and a mail, made by the run of the daily watch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path

import dagster as dg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from pipelines.configuration.calendar import previous_business_day, tokyo_now
from tests.support.servers import free_port
from tests.support.town import DAY, Town

PAGE = "clerk/処理状況一覧.html"


class Post:
    """A mail server's memory, on a port that the town's settings name."""

    def __init__(self, town: Town) -> None:
        self.letters: list[bytes] = []
        self.port = free_port()
        settings = town.folder / "renkei.toml"
        alerts = f'[alerts]\nhost = "127.0.0.1"\nport = {self.port}\nfrom = "a@city.example"\nto = ["b@city.example"]\n'
        settings.write_text(settings.read_text(encoding="utf-8") + alerts + 'tls = "none"\n', encoding="utf-8")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.letters.append(envelope.original_content or b"")
        return "250 OK"

    @contextmanager
    def office(self) -> Iterator[None]:
        server = Controller(self, hostname="127.0.0.1", port=self.port)
        server.start()
        try:
            yield
        finally:
            server.stop()


def mailed(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = [check for check in result.get_asset_check_evaluations() if check.check_name == "morning_mail_was_sent"]
    return found


@pytest.fixture
def this_morning() -> dt.date:
    """The day that this morning's watch is about."""
    return previous_business_day(tokyo_now().date())


def test_the_page_is_written_and_the_same_is_sent(town: Town, this_morning: dt.date) -> None:
    post = Post(town)
    with post.office():
        result = town.run(this_morning, "daily_watch")
    assert result.success
    assert mailed(result).passed
    page = (town.folder / PAGE).read_text(encoding="utf-8")
    (letter,) = (message_from_bytes(one, policy=policy.default) for one in post.letters)
    assert str(letter["Subject"]).startswith(f"【国保連携】処理状況一覧 {tokyo_now():%Y-%m-%d} することが1件")
    for text in (page, letter.get_content()):
        assert "まだ一度も送付していません" in text
        assert "renkei doctor" in text


def test_a_mail_that_cannot_be_sent_is_a_yellow_check_and_the_page_is_there(town: Town, this_morning: dt.date) -> None:
    Post(town)
    result = town.run(this_morning, "daily_watch")
    assert result.success
    assert not mailed(result).passed
    assert (mailed(result).description or "").startswith("KR-7703")
    assert (town.folder / PAGE).is_file()


def test_an_earlier_morning_is_not_mailed_again(town: Town) -> None:
    post = Post(town)
    with post.office():
        assert town.run(DAY, "daily_watch").success
    assert post.letters == []


def test_without_a_mail_server_there_is_the_page_alone(town: Town, this_morning: dt.date) -> None:
    result = town.run(this_morning, "daily_watch")
    assert (result.success, mailed(result).passed) == (True, True)
    assert Path(town.folder / PAGE).stat().st_mode & 0o077 == 0
