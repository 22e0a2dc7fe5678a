"""How tests send requests to the entrances of the proxy: exactly as written, with a user or without one."""

from __future__ import annotations

import http.client
import json
import ssl
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass(frozen=True)
class Doors:
    """A running pair of entrances. `folder` has the certificate and the logs."""

    port: int
    webservers: tuple[int, int]
    folder: Path
    passwords: dict[str, str]

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.folder / "certificate.pem")

    def account(self, user: str) -> dict[str, str]:
        return {"Authorization": "Basic " + b64encode(f"{user}:{self.passwords[user]}".encode()).decode()}

    def ask(
        self,
        user: str | None,
        path: str,
        *,
        method: str = "GET",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request; the path goes out byte for byte."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.trust(), timeout=60)
        try:
            sent = (self.account(user) if user else {}) | (headers or {})
            connection.request(method, path, body or None, sent)
            answer = connection.getresponse()
            upgraded = answer.status == http.client.SWITCHING_PROTOCOLS
            return Answer(answer.status, answer.headers, b"" if upgraded else answer.read())
        finally:
            connection.close()

    def query(self, user: str, path: str, text: str, **variables: object) -> Any:
        """The data of a GraphQL answer."""
        body = json.dumps({"query": text, "variables": variables}).encode()
        answer = self.ask(user, path, method="POST", body=body, headers={"Content-Type": "application/json"})
        assert answer.status == 200, answer.body
        return json.loads(answer.body)["data"]
