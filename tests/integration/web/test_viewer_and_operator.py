"""Who gets through the doors to the Dagster UI, and how far."""

from __future__ import annotations

import json
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.reverse_proxy import Doors
from tests.support.servers import wait_until

VERSION = "{ version }"
LAUNCH = """mutation LaunchRunMutation($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) { __typename ... on LaunchRunSuccess { run { runId } } } }"""
DAILY_WATCH = {
    "selector": {
        "repositoryLocationName": "pipelines.definitions",
        "repositoryName": "__repository__",
        "jobName": "daily_watch",
    },
    "runConfigData": {},
    "mode": "default",
    "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "2026-04-01"}]},
}
WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Protocol": "graphql-ws",
}
PATHS = (
    "/", "/viewer", "/viewer/", "/viewer/graphql", "/viewer/runs", "/viewer/download_debug/1", "/viewer/server_info",
    "/operator", "/operator/", "/operator/graphql", "/operator/download_debug/1", "/operator/server_info",
    "/graphql", "/server_info", "/favicon.png", "/download_debug/1", "/viewer/../operator/", "//operator//graphql",
    "/viewer/%2e%2e/operator/graphql", "/nginx/operators",
)  # fmt: skip


def test_a_stranger_gets_nothing(doors: Doors) -> None:
    asked: list[tuple[str, str, dict[str, str]]] = [(path, method, {}) for path in PATHS for method in ("GET", "POST")]
    asked += [(f"/{door}/graphql", "GET", WEBSOCKET) for door in ("viewer", "operator")]
    with ThreadPoolExecutor(len(asked)) as strangers:
        answers = list(strangers.map(lambda one: doors.ask(None, one[0], method=one[1], headers=one[2]), asked))
    assert [answer.status for answer in answers] == [401] * len(asked)
    assert not any(b"dagster" in (answer.body + bytes(answer.headers)).lower() for answer in answers)
    wrong = doors.ask(None, "/operator/", headers={"Authorization": "Basic b3BlcmF0b3I6d3Jvbmc="})
    assert wrong.status == 401


def test_plain_http_gets_nothing(doors: Doors) -> None:
    with socket.create_connection(("127.0.0.1", doors.port), timeout=10) as plain:
        plain.sendall(b"GET /viewer/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert plain.recv(1) == b""


def test_old_tls_is_refused(doors: Doors) -> None:
    for version, accepted in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
        context = doors.trust()
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", doors.port), timeout=10) as plain:
            if accepted:
                context.wrap_socket(plain, server_hostname="127.0.0.1").close()
            else:
                with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
                    context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_everything_listens_on_loopback_only(doors: Doors) -> None:
    listening = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()
    ]
    for port in (doors.port, *doors.webservers):
        addresses = {
            words[1].split(":")[0] for words in listening if words[1].endswith(f":{port:04X}") and words[3] == "0A"
        }
        assert addresses == {"0100007F"}  # 127.0.0.1, as the kernel writes it


def test_an_analyst_looks_and_changes_nothing(doors: Doors) -> None:
    page = doors.ask("analyst", "/viewer/")
    assert page.status == 200
    assert b"/viewer/_next/" in page.body
    assert {name: page.headers.get_all(name) for name in ("X-Frame-Options", "X-Content-Type-Options")} == {
        "X-Frame-Options": ["DENY"],
        "X-Content-Type-Options": ["nosniff"],
    }
    assert page.headers["Server"] == "nginx"
    assert doors.query("analyst", "/viewer/graphql?op=Version", VERSION)["version"]
    told = doors.query("analyst", "/viewer/graphql?op=LaunchRunMutation", LAUNCH, parameters=DAILY_WATCH)
    assert told["launchRun"]["__typename"] == "UnauthorizedError"
    assert doors.ask("analyst", "/viewer/report_asset_materialization/outstanding", method="POST").status == 404
    assert doors.ask("analyst", "/operator/").status == 401
    assert doors.ask("analyst", "/operator/graphql", method="POST").status == 401


def test_an_operator_launches_and_dumps_are_his_alone(doors: Doors) -> None:
    told = doors.query("operator", "/operator/graphql?op=LaunchRunMutation", LAUNCH, parameters=DAILY_WATCH)
    assert told["launchRun"]["__typename"] == "LaunchRunSuccess"
    dump = f"download_debug/{told['launchRun']['run']['runId']}"
    assert doors.ask("operator", f"/operator/{dump}").headers["Content-Type"] == "application/gzip"
    assert doors.ask("operator", f"/viewer/{dump}").status == 401
    for path in (
        dump,
        dump.replace("_", "%5f"),
        f"/{dump}",
        f"runs/../{dump}",
        f"%2e/{dump}",
        "logs/a/out",
        "notebook",
    ):
        assert doors.ask("analyst", f"/viewer/{path}").status == 404, path


def test_no_path_leads_from_one_door_to_the_other(doors: Doors) -> None:
    for path in (
        "/viewer/../operator/graphql",
        "/viewer/%2e%2e/operator/graphql",
        "/viewer/..%2foperator/graphql",
        "//operator/graphql",
        "/./operator/graphql",
        "/%6fperator/graphql",
    ):
        assert doors.ask("analyst", path).status == 401, path
    # What stays behind the viewer's door is read-only, whatever it is called.
    for path in (
        "/viewer/graphql",
        "//viewer/graphql",
        "/viewer/./graphql",
        "/viewer/%67raphql",
        "/operator/../viewer/graphql",
    ):
        told = doors.query("analyst", path, LAUNCH, parameters=DAILY_WATCH)
        assert told["launchRun"]["__typename"] == "UnauthorizedError", path
    for path in ("/graphql", "/viewers/graphql", "/viewer%20/graphql", "/nginx/viewers", "/nginx.conf"):
        assert doors.ask("analyst", path).status == 404, path


def test_websockets_pass_each_through_its_own_door(doors: Doors) -> None:
    assert doors.ask("analyst", "/viewer/graphql", headers=WEBSOCKET).status == 101
    assert doors.ask("operator", "/operator/graphql", headers=WEBSOCKET).status == 101
    assert doors.ask("analyst", "/operator/graphql", headers=WEBSOCKET).status == 401


def test_another_site_cannot_use_the_browser_of_an_operator(doors: Doors) -> None:
    home, foreign = {"Origin": f"https://127.0.0.1:{doors.port}"}, {"Origin": "https://union.example"}
    assert doors.ask("operator", "/operator/graphql", headers=WEBSOCKET | home).status == 101
    assert doors.ask("operator", "/operator/graphql", headers=WEBSOCKET | foreign).status == 403
    for origin in (foreign, {"Origin": "null"}, {"Origin": "https://127.0.0.1"}):
        assert doors.ask("operator", "/operator/", headers=origin).status == 403
    # A link or a picture elsewhere asks without an origin: GraphQL is never taken from the address.
    for method in ("GET", "POST"):
        answer = doors.ask("operator", "/operator/graphql?op=Version&query=%7Bversion%7D", method=method)
        assert (answer.status, answer.body) == (400, b"No GraphQL query found in the request")


def test_a_request_has_a_limit(doors: Doors) -> None:
    answer = doors.ask("operator", "/operator/graphql", method="POST", body=b"0" * ((1 << 20) + 1))
    assert answer.status == 413


def test_the_log_says_who_asked_for_what_and_no_more(doors: Doors) -> None:
    doors.query("operator", "/operator/graphql?op=Version", VERSION)
    doors.ask("analyst", "/viewer/runs?q=%E5%90%88%E6%88%90")
    doors.ask("analyst", "/operator/runs?q=123456789018")
    log = doors.folder / "access.log"
    wait_until(lambda: '"path":"/operator/runs"' in log.read_text(), "the log's last line")  # written after the answer
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    seen = [{k: line[k] for k in ("user", "method", "path", "operation", "status")} for line in lines]
    assert {
        "user": "operator",
        "method": "POST",
        "path": "/operator/graphql",
        "operation": "Version",
        "status": 200,
    } in seen
    assert {"user": "analyst", "method": "GET", "path": "/operator/runs", "operation": "", "status": 401} in seen
    kept = b"".join(path.read_bytes() for path in doors.folder.glob("*.log"))
    assert b"123456789018" not in kept
    assert b"%E5%90%88" not in kept
    assert "合成".encode() not in kept
    for password in doors.passwords.values():
        assert password.encode() not in kept
