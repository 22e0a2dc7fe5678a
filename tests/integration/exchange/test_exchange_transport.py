"""SFTP against a real OpenSSH server: keys, names, verification, failure classes, the retry."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from fixtures.line import line
from fixtures.sftp_server import Faults, serve
from interfaces.messages import RenkeiError
from pipelines.configuration.settings import SftpSettings
from pipelines.exchange.transport import (
    LocalFolderTransport,
    PermanentTransportError,
    Retry,
    SftpTransport,
    TransientTransportError,
    Transport,
    check_name,
    temporary_name,
)
from tests.support.exchange import names_in, remote_names
from tests.support.servers import OpenSshServer, free_port, write_key

DATA = "合成データ\r\n".encode("cp932") * 40_000
SHA256 = hashlib.sha256(DATA).hexdigest()


def settings_of(server: OpenSshServer, **changes: Any) -> SftpSettings:
    return SftpSettings(
        host=server.host,
        port=server.port,
        user=server.user,
        private_key=server.private_key,
        host_key=server.host_key,
        to_union_folder=str(server.root / "to_union"),
        from_union_folder=str(server.root / "from_union"),
    ).model_copy(update=changes)


@pytest.fixture
def sftp(openssh_server: OpenSshServer) -> Iterator[SftpTransport]:
    transport = SftpTransport(settings_of(openssh_server), str(openssh_server.root / "to_union"))
    yield transport
    transport.close()


@pytest.fixture(params=["sftp", "folder"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Transport, Path]:
    """Each transport with the folder that it stands for."""
    if request.param == "sftp":
        server = request.getfixturevalue("openssh_server")
        return request.getfixturevalue("sftp"), server.root / "to_union"
    folder = tmp_path / "medium"
    folder.mkdir()
    return LocalFolderTransport(folder), folder


def failure_of(action: Callable[[], Any]) -> RenkeiError:
    with pytest.raises(RenkeiError) as caught:
        action()
    return caught.value


def test_a_file_goes_up_under_a_temporary_name_and_comes_back_equal(
    either: tuple[Transport, Path],
) -> None:
    transport, folder = either
    temporary = transport.put_temporary(DATA, "out.csv", SHA256)
    assert temporary == f".out.csv.{SHA256[:12]}.part"
    assert names_in(folder) == [temporary]
    assert transport.stat("out.csv") is None
    transport.rename(temporary, "out.csv")
    assert names_in(folder) == ["out.csv"]
    assert (folder / "out.csv").read_bytes() == DATA
    assert transport.read_sha256("out.csv") == SHA256
    found = transport.stat("out.csv")
    assert found is not None and (found.size, found.kind) == (len(DATA), "file")
    assert transport.list() == [found]
    assert transport.get("out.csv") == DATA
    transport.remove("out.csv")
    transport.remove("out.csv")
    assert transport.list() == []


def test_a_leftover_of_an_earlier_upload_is_replaced(either: tuple[Transport, Path]) -> None:
    transport, folder = either
    (folder / temporary_name("out.csv", SHA256)).write_bytes(DATA + b"longer than the file that comes now")
    transport.put_temporary(DATA, "out.csv", SHA256)
    assert (folder / temporary_name("out.csv", SHA256)).read_bytes() == DATA


def test_an_upload_whose_content_is_not_the_announced_one_is_not_accepted(
    either: tuple[Transport, Path],
) -> None:
    transport, _ = either
    assert failure_of(lambda: transport.put_temporary(DATA[:-1] + b"X", "out.csv", SHA256)).code == "KR-6206"


def test_a_final_name_is_never_overwritten(either: tuple[Transport, Path]) -> None:
    transport, folder = either
    (folder / "out.csv").write_bytes(b"theirs")
    temporary = transport.put_temporary(DATA, "out.csv", SHA256)
    assert failure_of(lambda: transport.rename(temporary, "out.csv")).code == "KR-6116"
    assert (folder / "out.csv").read_bytes() == b"theirs"


def test_a_name_that_appears_between_the_look_and_the_rename_is_not_overwritten(
    sftp: SftpTransport, openssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = openssh_server.root / "to_union"
    (folder / "out.csv").write_bytes(b"theirs")
    (folder / temporary_name("out.csv", SHA256)).write_bytes(b"ours")
    monkeypatch.setattr(sftp, "stat", lambda name: None)
    with pytest.raises(TransientTransportError):
        sftp.rename(temporary_name("out.csv", SHA256), "out.csv")
    assert (folder / "out.csv").read_bytes() == b"theirs"


@pytest.mark.parametrize(
    "name",
    ["../out.csv", "a/b.csv", "a\\b.csv", "..", ".", "", ".hidden", "a\0b", "a..b", "a\nb", "\udc83a", "長" * 90],
)
def test_names_that_are_not_plain_base_names_are_refused(name: str, either: tuple[Transport, Path]) -> None:
    transport, _ = either
    for action in (
        lambda: check_name(name),
        lambda: transport.stat(name),
        lambda: transport.get(name),
        lambda: transport.remove(name),
        lambda: transport.read_sha256(name),
        lambda: transport.rename(temporary_name("a.csv", SHA256), name),
        lambda: transport.rename(f".{name}.{SHA256[:12]}.part", "a.csv"),
    ):
        failure = failure_of(action)
        assert failure.code == "KR-6207"
        assert str(failure).isprintable()


def test_ordinary_japanese_names_are_accepted() -> None:
    assert check_name("資格情報（世帯）_20260408.csv") == "資格情報（世帯）_20260408.csv"


def test_the_listing_says_each_kind_and_survives_any_name(sftp: SftpTransport, openssh_server: OpenSshServer) -> None:
    folder = openssh_server.root / "to_union"
    (folder / "folder").mkdir()
    (folder / "link").symlink_to("/etc/hostname")
    os.mkfifo(folder / "pipe")
    (folder / "資格.csv").write_bytes(b"1")
    Path(os.fsdecode(os.fsencode(folder) + b"/" + "資格.csv".encode("cp932"))).write_bytes(b"2")
    found = {file.name: file.kind for file in sftp.list()}
    assert found == {
        "folder": "folder",
        "link": "link",
        "pipe": "other",
        "資格.csv": "file",
        os.fsdecode("資格.csv".encode("cp932")): "file",
    }


def test_a_changed_host_key_is_permanent_and_nothing_is_sent(openssh_server: OpenSshServer, tmp_path: Path) -> None:
    other = write_key(tmp_path / "other_host")
    transport = SftpTransport(settings_of(openssh_server, host_key=other), str(openssh_server.root / "to_union"))
    failure = failure_of(transport.list)
    assert (failure.code, type(failure)) == ("KR-6201", PermanentTransportError)
    log = (openssh_server.private_key.parent / "log").read_text()
    assert "Accepted" not in log and "Failed" not in log


def test_a_pinned_kind_of_key_that_the_server_lacks_is_permanent(openssh_server: OpenSshServer, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", tmp_path / "rsa"], check=True)
    pinned = (tmp_path / "rsa.pub").read_text()
    failure = failure_of(SftpTransport(settings_of(openssh_server, host_key=pinned), "/").list)
    assert (failure.code, type(failure)) == ("KR-6210", PermanentTransportError)


@pytest.mark.parametrize("text", ["ssh-ed25519 AAAA", "ssh-ed25519 !!!", "ssh-unknown AAAAB3Nz", "something else"])
def test_an_invalid_host_key_is_reported_at_once(text: str, openssh_server: OpenSshServer) -> None:
    assert failure_of(lambda: SftpTransport(settings_of(openssh_server, host_key=text), "/")).code == "KR-6209"


def test_a_key_that_the_server_does_not_know_is_permanent(openssh_server: OpenSshServer, tmp_path: Path) -> None:
    write_key(tmp_path / "stranger")
    failure = failure_of(SftpTransport(settings_of(openssh_server, private_key=tmp_path / "stranger"), "/").list)
    assert (failure.code, type(failure)) == ("KR-6202", PermanentTransportError)


def test_private_keys_that_cannot_be_used(openssh_server: OpenSshServer, tmp_path: Path) -> None:
    open_to_all, locked, text = tmp_path / "open", tmp_path / "locked", tmp_path / "text"
    write_key(open_to_all)
    open_to_all.chmod(0o644)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "passphrase", "-f", locked], check=True)
    text.touch(mode=0o600)
    text.write_text("no key")
    for path in (open_to_all, locked, text, tmp_path / "missing"):
        failure = failure_of(SftpTransport(settings_of(openssh_server, private_key=path), "/").list)
        assert (failure.code, type(failure)) == ("KR-6208", PermanentTransportError)


def test_a_missing_folder_or_file_is_permanent(openssh_server: OpenSshServer) -> None:
    nowhere = SftpTransport(settings_of(openssh_server), str(openssh_server.root / "nowhere"))
    assert (failure_of(nowhere.list).code, nowhere.stat("a.csv")) == ("KR-6204", None)
    assert failure_of(lambda: nowhere.get("a.csv")).code == "KR-6204"
    assert isinstance(failure_of(lambda: nowhere.read_sha256("a.csv")), PermanentTransportError)
    nowhere.close()


def test_a_refused_permission_is_permanent(sftp: SftpTransport) -> None:
    refused = SftpTransport(sftp._settings, "/proc/1")
    failure = failure_of(lambda: refused.remove("comm"))
    assert (failure.code, type(failure)) == ("KR-6203", PermanentTransportError)
    refused.close()


def test_a_server_that_is_down_is_transient(openssh_server: OpenSshServer) -> None:
    failure = failure_of(SftpTransport(settings_of(openssh_server, port=free_port()), "/").list)
    assert (failure.code, type(failure)) == ("KR-6205", TransientTransportError)


def test_a_server_that_says_nothing_is_transient(openssh_server: OpenSshServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = settings_of(openssh_server, port=silent.getsockname()[1], banner_seconds=0.3, handshake_seconds=0.3)
        failure = failure_of(SftpTransport(settings, "/").list)
    assert (failure.code, type(failure)) == ("KR-6205", TransientTransportError)


@pytest.mark.parametrize("moment", ["subsystem", "version"])
def test_a_server_that_falls_silent_while_it_greets_is_transient(
    moment: Literal["subsystem", "version"], tmp_path: Path
) -> None:
    (tmp_path / "union").mkdir()
    with serve(tmp_path / "union", tmp_path / "keys", Faults(silent_at=moment)) as server:
        settings = SftpSettings(
            host=server.host,
            port=server.port,
            user=server.user,
            private_key=server.private_key,
            host_key=server.host_key,
            to_union_folder="/",
            from_union_folder="/",
            reply_seconds=0.5,
        )
        failure = failure_of(SftpTransport(settings, "/").list)
    assert (failure.code, type(failure)) == ("KR-6205", TransientTransportError)


def test_a_line_that_goes_silent_under_a_full_send_buffer_is_transient(
    openssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = socket.create_connection

    def narrow(*arguments: Any, **options: Any) -> socket.socket:
        made = connect(*arguments, **options)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        return made

    large = bytes(8 << 20)
    with line(openssh_server.host, openssh_server.port) as wire:
        wire.harms("up", 200_000, "silent")
        monkeypatch.setattr(socket, "create_connection", narrow)
        sftp = SftpTransport(settings_of(openssh_server, port=wire.port, reply_seconds=1), str(openssh_server.root))
        sha256 = hashlib.sha256(large).hexdigest()
        failure = failure_of(lambda: sftp.put_temporary(large, "large.csv", sha256))
    assert (failure.code, type(failure)) == ("KR-6205", TransientTransportError)


def test_a_server_that_says_it_renamed_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "union").mkdir()
    with serve(tmp_path / "union", tmp_path / "keys", Faults(forgets_names=True)) as server:
        settings = SftpSettings(
            host=server.host,
            port=server.port,
            user=server.user,
            private_key=server.private_key,
            host_key=server.host_key,
            to_union_folder="/",
            from_union_folder="/",
        )
        liar = SftpTransport(settings, "/")
        temporary = liar.put_temporary(b"a", "a.csv", hashlib.sha256(b"a").hexdigest())
        failure = failure_of(lambda: liar.rename(temporary, "a.csv"))
        liar.close()
    assert (failure.code, type(failure)) == ("KR-6212", TransientTransportError)


def test_a_dropped_connection_is_transient_and_the_next_call_connects_again(
    sftp: SftpTransport, openssh_server: OpenSshServer
) -> None:
    (openssh_server.root / "to_union" / "a.csv").write_bytes(b"1")
    assert remote_names(sftp.list()) == ["a.csv"]
    assert sftp._connection is not None
    sftp._connection.sock.shutdown(socket.SHUT_RDWR)
    with pytest.raises(TransientTransportError):
        sftp.list()
    assert remote_names(sftp.list()) == ["a.csv"]


class Clock:
    """Time that passes only in pauses."""

    def __init__(self) -> None:
        self.time, self.pauses = 0.0, list[float]()

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds


def retry(clock: Clock, attempts: int = 4, deadline: float = 600.0) -> Retry:
    return Retry(attempts, 5.0, deadline, clock.pause, lambda: clock.time)


@pytest.mark.parametrize("kind", [TransientTransportError, PermanentTransportError])
def test_a_retry_never_turns_a_failure_into_success(kind: type[RenkeiError]) -> None:
    clock, calls = Clock(), list[int]()

    def fail() -> None:
        calls.append(1)
        raise kind("KR-6205", host="h", reason="r")

    with pytest.raises(kind):
        retry(clock).run(fail)
    transient = kind is TransientTransportError
    assert len(calls) == (4 if transient else 1)
    assert clock.pauses == ([5.0, 10.0, 20.0] if transient else [])


def test_a_retry_gives_the_result_of_the_attempt_that_succeeded() -> None:
    clock, answers = Clock(), [TransientTransportError("KR-6205"), TransientTransportError("KR-6205"), "done"]

    def act() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    assert retry(clock).run(act) == "done"
    assert clock.pauses == [5.0, 10.0]


def test_a_retry_does_not_go_beyond_its_deadline() -> None:
    clock = Clock()

    def fail() -> None:
        clock.time += 10
        raise TransientTransportError("KR-6205")

    with pytest.raises(TransientTransportError):
        retry(clock, attempts=99, deadline=60).run(fail)
    # 10 + 5 + 10 + 10 + 10 = 45; the next pause of 20 would end at 65.
    assert (clock.pauses, clock.time) == ([5.0, 10.0], 45.0)


def test_any_other_error_passes_through_the_retry_at_once() -> None:
    clock = Clock()
    with pytest.raises(ZeroDivisionError):
        retry(clock).run(lambda: 1 / 0)
    assert clock.pauses == []


def test_the_retry_is_as_the_settings_say(openssh_server: OpenSshServer) -> None:
    chosen = Retry.of(settings_of(openssh_server, attempts=7, first_pause_seconds=1.0, total_deadline_seconds=9.0))
    assert replace(chosen) == Retry(7, 1.0, 9.0, server=f"127.0.0.1:{openssh_server.port}")


def test_the_text_that_distinguishes_silence_from_refusal_is_still_paramikos() -> None:
    import inspect

    from paramiko.auth_handler import AuthHandler

    from pipelines.exchange.transport import SILENT_LOGIN

    assert f'"{SILENT_LOGIN}"' in inspect.getsource(AuthHandler.wait_for_response)
