"""Sends one e-mail by SMTP to the recipients in `[alerts]`. The text comes from `alerts` and `status`."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, make_msgid
from pathlib import Path

from interfaces.messages import RenkeiError, reason_of
from pipelines.configuration.settings import AlertSettings

# Greeting, EHLO twice, STARTTLS, handshake, two of AUTH, MAIL, RCPT, DATA, its end: 11 replies × 5 s = 55 s,
# below the 60 s that Dagster gives a tick.
REPLY_SECONDS = 5.0


def send(settings: AlertSettings, subject: str, text: str) -> int:
    """Send one message; returns how many recipients the server refused while it accepted others.

    Errors: KR-7703 with the kind of failure, never the server's words; KR-7104 and KR-7106 for the password file.
    """
    message = EmailMessage(policy=SMTP)
    own_domain = settings.sender.partition("@")[2]
    message["From"], message["To"], message["Subject"] = settings.sender, ", ".join(settings.to), subject
    message["Date"], message["Message-ID"] = localtime(), make_msgid(domain=own_domain)
    message.set_content(text)
    with _logged_in(settings, own_domain) as server:
        return len(server.send_message(message))


def reach(settings: AlertSettings) -> None:
    """Connect and log in, and send nothing. Errors as `send`."""
    with _logged_in(settings, settings.sender.partition("@")[2]) as server:
        server.noop()


@contextmanager
def _logged_in(settings: AlertSettings, own_domain: str) -> Iterator[smtplib.SMTP]:
    password = _password(settings.password_file) if settings.password_file else ""
    try:
        trust = ssl.create_default_context(cafile=settings.ca_file)
        with _connected(settings, own_domain, trust) as server:
            if settings.tls == "starttls":
                server.starttls(context=trust)
            if settings.user:
                server.login(settings.user, password)
            yield server
    except (OSError, UnicodeError) as error:  # every SMTPException is an OSError
        raise RenkeiError("KR-7703", host=settings.host, reason=_reason(error)) from None


def _connected(settings: AlertSettings, own_name: str, trust: ssl.SSLContext) -> smtplib.SMTP:
    """Connect. Without a given name, smtplib would ask the DNS for this machine's name, without a timeout."""
    if settings.tls == "tls":
        return smtplib.SMTP_SSL(settings.host, settings.port, own_name, timeout=REPLY_SECONDS, context=trust)
    return smtplib.SMTP(settings.host, settings.port, own_name, timeout=REPLY_SECONDS)


def _password(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise RenkeiError("KR-7106", name=path.name)
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise RenkeiError("KR-7104", path=str(path), reason=reason_of(error)) from None


def _reason(error: Exception) -> str:
    """The kind of failure: its class, and a number or the system's text. A server's answer may contain addresses."""
    details = (getattr(error, name, None) for name in ("smtp_code", "verify_message", "strerror"))
    return " ".join([type(error).__name__, *(str(detail) for detail in details if detail)])
