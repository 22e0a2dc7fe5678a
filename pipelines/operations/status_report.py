"""`status` as a page for a browser and for A4 paper, and as a mail. What it says is decided there."""

from __future__ import annotations

from pathlib import Path

import jinja2

from pipelines.configuration.settings import Settings
from pipelines.operations import mail, status
from pipelines.storage.files import write_durably

_pages = jinja2.Environment(
    loader=jinja2.PackageLoader("pipelines.operations"), autoescape=True, undefined=jinja2.StrictUndefined
)


def write_html(found: status.Status, path: Path) -> None:
    """The page; everything in it is escaped."""
    page = _pages.get_template("status.html").render(status=status, found=found, actions=status.actions(found))
    write_durably(path, page.encode())


def send_mail(settings: Settings, found: status.Status) -> None:
    """The screen as a mail to the recipients of `[alerts]`. KR-6009 when the settings have none, KR-7703 it cannot be sent."""
    mail.send(settings.required_alerts(), subject(found), "\n".join([*status.lines(found), "", FOOT]))


def subject(found: status.Status) -> str:
    """Whether there is something to do, in the subject of the mail."""
    todo = len(status.actions(found))
    text = "分からないことがあります" if found.unknown else f"することが{todo}件" if todo else "することはありません"
    return f"【国保連携】処理状況一覧 {found.at:%Y-%m-%d} {text}"


FOOT = "このメールに個人の情報はありません。\n"
