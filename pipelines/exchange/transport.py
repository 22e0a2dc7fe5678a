"""One remote folder: list, fetch, put under a temporary name, rename, remove. Does not decide what is sent.

Failures are of two kinds. Permanent: another host key, a refused login, no permission, no such folder, an unsafe name,
another file under the same name; a person must act. Transient: connection, silence, a bare "Failure" of the server. A
full disk at the Union is transient, because SFTP cannot distinguish it from other failures; it is reported when the
attempts are used up.
"""

from __future__ import annotations

import binascii
import errno
import hashlib
import logging
import re
import shutil
import socket
import stat as modes
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar

import paramiko
from paramiko.sftp import CMD_NAME

from interfaces.messages import RenkeiError, reason_of
from interfaces.naming import why_unsafe
from pipelines.configuration.settings import SftpSettings
from pipelines.exchange import dead_servers
from pipelines.storage.files import CHUNK_BYTES, LOCAL_DISK_FAULTS, sha256_of, sync_folder, write_durably
from schemas.rules.identifiers import without_my_numbers

# Without a handler, Python would print paramiko's tracebacks on the screen; people read our messages.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Kind = Literal["file", "folder", "link", "other"]

# paramiko raises the same class for a refusal and for silence; only this text distinguishes them.
SILENT_LOGIN: Final = "Authentication timeout."
REMOVED_BY_SERVER: Final = "KR-6222"
NO_ANSWER: Final = "KR-6205"
OUR_TEMPORARY: Final = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{12}\.part")


class TransportError(RenkeiError):
    """A failed transfer. `received`: the part of a file that arrived before its fetch failed."""

    received: bytes = b""


class TransientTransportError(TransportError):
    """May succeed when tried again."""


class PermanentTransportError(TransportError):
    """Will fail again until a person acts."""


@dataclass(frozen=True)
class RemoteFile:
    """One name in the remote folder. `size` in bytes; `modified` in seconds since 1970; None if the server does not say."""

    name: str
    size: int | None
    modified: float | None
    kind: Kind


@dataclass(frozen=True)
class Retry:
    """The one retry layer: transient failures only, pauses doubling, no new attempt beyond the deadline (seconds).

    Each pause is announced in the log (KR-6213). A `server` that failed every attempt is tried once only by the work that
    follows in the same command (`dead_servers`).
    """

    attempts: int = 1
    first_pause_seconds: float = 5.0
    deadline_seconds: float = 600.0
    pause: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    server: str = ""

    @staticmethod
    def of(settings: SftpSettings) -> Retry:
        """As the settings say."""
        return Retry(
            settings.attempts,
            settings.first_pause_seconds,
            settings.total_deadline_seconds,
            server=f"{settings.host}:{settings.port}",
        )

    def run(self, action: Callable[[], Result]) -> Result:
        """The action's result; its last error when every attempt failed. `action` must be safe to repeat."""
        end = self.now() + self.deadline_seconds
        attempt, attempts = 1, 1 if dead_servers.is_dead(self.server) else self.attempts
        while True:
            try:
                done = action()
            except TransientTransportError as error:
                wait = self.first_pause_seconds * 2 ** (attempt - 1)
                if attempt >= attempts or self.now() + wait > end:
                    if error.code == NO_ANSWER:
                        dead_servers.gave_up(self.server)
                    raise
                notice = RenkeiError("KR-6213", attempt=attempt, attempts=attempts, seconds=f"{wait:g}", problem=error)
            else:
                dead_servers.answers(self.server)
                return done
            log.warning("%s", notice)
            self.pause(wait)
            attempt += 1


class Source(Protocol):
    """One folder from which files are received. Names are base names: any other is refused with KR-6207."""

    def list(self) -> list[RemoteFile]:
        """Everything in the folder, sorted by name; a name may be one that `check_name` refuses."""

    def stat(self, name: str) -> RemoteFile | None:
        """One name; None when it is not there."""

    def get(self, name: str) -> bytes:
        """The content under a name. A TransportError contains the part that arrived before it failed."""

    def remove(self, name: str) -> None:
        """Remove a file; no error if it is not there."""

    def read_sha256(self, name: str) -> str:
        """SHA-256 of the content under a name on the server."""

    def close(self) -> None:
        """End the connection."""


class Transport(Source, Protocol):
    """One remote folder into which files are put as well."""

    def put_temporary(self, data: bytes, name: str, sha256: str) -> str:
        """Upload under the temporary name of `name`, read back and compare (KR-6206). Returns the temporary name.

        REMOVED_BY_SERVER when the server accepted the file, and it is not there any more.
        """

    def rename(self, temporary: str, name: str) -> None:
        """Give a file its final name; never over a file that is there (KR-6116)."""


def shown_name(name: str) -> str:
    """A name as it may be shown in a message: unprintable characters are escaped, what looks like a 個人番号 is masked."""
    printable = (c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in name)
    return without_my_numbers("".join(printable))


def check_name(name: str) -> str:
    """The name itself if it is safe as a base name here and on the server, else KR-6207. Every remote name is checked."""
    reason = why_unsafe(name)
    if reason is not None:
        raise PermanentTransportError("KR-6207", name=shown_name(name), reason=reason)
    return name


def temporary_name(name: str, sha256: str) -> str:
    """The name of a file until it is complete: hidden, and derived from its content."""
    return f".{check_name(name)}.{sha256[:12]}.part"


def _check_any_name(name: str) -> str:
    """A safe base name, or our temporary name of one."""
    ours = OUR_TEMPORARY.fullmatch(name)
    check_name(ours["name"] if ours else name)
    return name


def _kind(mode: int | None) -> Kind:
    if mode is None or modes.S_ISREG(mode):
        return "file"
    if modes.S_ISDIR(mode):
        return "folder"
    return "link" if modes.S_ISLNK(mode) else "other"


def _require_same_content(found: str, sha256: str, name: str) -> None:
    if found != sha256:
        raise TransientTransportError("KR-6206", name=name)


@contextmanager
def _reading_back(name: str) -> Iterator[None]:
    """For reading back an upload: REMOVED_BY_SERVER when it is not there any more."""
    try:
        yield
    except FileNotFoundError as error:
        raise PermanentTransportError(REMOVED_BY_SERVER, name=name) from error


@contextmanager
def _translate_errors(name: str, host: str = "媒体のフォルダ") -> Iterator[None]:
    """Translate every error in the block into a permanent or a transient failure."""
    try:
        yield
    except RenkeiError:
        raise
    except (OSError, EOFError, paramiko.SSHException, paramiko.SFTPError) as error:
        permanent = _permanent_error(error, name)
        if permanent is not None:
            raise permanent from error
        raise TransientTransportError("KR-6205", host=host, reason=type(error).__name__) from error
    except Exception as error:  # whatever a library raises about an answer of the server
        raise TransientTransportError("KR-6205", host=host, reason=type(error).__name__) from error


class LocalFolderTransport:
    """A local folder as transport: a medium (電子記録媒体) or, in tests, a server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list(self) -> list[RemoteFile]:
        with _translate_errors(str(self.folder)):
            names = sorted(path.name for path in self.folder.iterdir())
            return [found for found in map(self._stat, names) if found is not None]

    def stat(self, name: str) -> RemoteFile | None:
        with _translate_errors(name):
            return self._stat(_check_any_name(name))

    def get(self, name: str) -> bytes:
        with _translate_errors(name):
            return (self.folder / check_name(name)).read_bytes()

    def put_temporary(self, data: bytes, name: str, sha256: str) -> str:
        temporary = temporary_name(name, sha256)
        with _translate_errors(name):
            write_durably(self.folder / temporary, data)
        with _reading_back(name):
            found = sha256_of(self.folder / temporary)
        _require_same_content(found, sha256, name)
        return temporary

    def rename(self, temporary: str, name: str) -> None:
        target = self.folder / check_name(name)
        if target.exists():
            raise PermanentTransportError("KR-6116", file_name=name)
        with _translate_errors(name):
            (self.folder / _check_any_name(temporary)).rename(target)
            sync_folder(self.folder)

    def remove(self, name: str) -> None:
        with _translate_errors(name):
            (self.folder / _check_any_name(name)).unlink(missing_ok=True)

    def read_sha256(self, name: str) -> str:
        with _translate_errors(name):
            return sha256_of(self.folder / _check_any_name(name))

    def close(self) -> None:
        return None

    def _stat(self, name: str) -> RemoteFile | None:
        try:
            found = (self.folder / name).lstat()
        except FileNotFoundError:
            return None
        return RemoteFile(name, found.st_size, found.st_mtime, _kind(found.st_mode))


class InMemorySource:
    """A Source of files in memory: what a person typed, or what is received again."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = dict(files)

    def list(self) -> list[RemoteFile]:
        return [RemoteFile(name, len(self._files[name]), None, "file") for name in sorted(self._files)]

    def stat(self, name: str) -> RemoteFile | None:
        return next((file for file in self.list() if file.name == name), None)

    def get(self, name: str) -> bytes:
        return self._files[check_name(name)]

    def remove(self, name: str) -> None:
        self._files.pop(name, None)

    def read_sha256(self, name: str) -> str:
        return hashlib.sha256(self._files[name]).hexdigest()

    def close(self) -> None:
        self._files.clear()


class SftpTransport:
    """One folder of the Union's server by SFTP, with key authentication and a pinned host key only.

    Connects at the first call and again after a failure. Never uses an agent, known_hosts, the user's keys or a password.
    Errors: see the module; KR-6201 to KR-6212.
    """

    def __init__(self, settings: SftpSettings, folder: str) -> None:
        self._settings = settings
        self._folder = folder.rstrip("/")
        self._host_key = _pinned_key(settings.host_key)
        self._connection: paramiko.Transport | None = None
        self._client: _Client | None = None

    def list(self) -> list[RemoteFile]:
        with self._connected(self._folder) as client:
            found = client.listdir_attr(self._folder or "/")
        return sorted((_remote_file(a.filename, a) for a in found), key=lambda file: file.name)

    def stat(self, name: str) -> RemoteFile | None:
        path = self._path(name)
        with self._connected(name) as client:
            try:
                return _remote_file(name, client.lstat(path))
            except FileNotFoundError:
                return None

    def get(self, name: str) -> bytes:
        path, content = self._path(name), BytesIO()
        try:
            with self._connected(name) as client, client.open(path, "rb") as remote:
                for chunk in _chunks(remote):
                    content.write(chunk)
        except TransportError as error:
            error.received = content.getvalue()
            raise
        return content.getvalue()

    def put_temporary(self, data: bytes, name: str, sha256: str) -> str:
        temporary = temporary_name(name, sha256)
        path = self._path(temporary)
        with self._connected(name) as client, _cleaning_up(client, path):
            # "w" truncates what an earlier attempt left. paramiko's own confirmation checks the size only.
            with client.open(path, "wb") as remote:
                remote.set_pipelined(True)
                shutil.copyfileobj(BytesIO(data), remote, CHUNK_BYTES)
            with _reading_back(name):
                found = _read_hash(client, path)
            _require_same_content(found, sha256, name)
        return temporary

    def rename(self, temporary: str, name: str) -> None:
        """By the plain rename of SFTP, which must fail when the name is there; posix-rename would overwrite it."""
        source, target = self._path(temporary), self._path(check_name(name))
        if self.stat(name) is not None:
            raise PermanentTransportError("KR-6116", file_name=name)
        with self._connected(name) as client:
            client.rename(source, target)
        # A server may report success and do nothing. A missing final name proves nothing: the Union removes files.
        if self.stat(temporary) is not None:
            raise TransientTransportError("KR-6212", name=name)

    def remove(self, name: str) -> None:
        path = self._path(name)
        with self._connected(name) as client:
            try:
                client.remove(path)
            except FileNotFoundError:
                return

    def read_sha256(self, name: str) -> str:
        path = self._path(name)
        with self._connected(name) as client:
            return _read_hash(client, path)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._client = None

    def _path(self, name: str) -> str:
        return f"{self._folder}/{_check_any_name(name)}"

    @contextmanager
    def _connected(self, name: str) -> Iterator[_Client]:
        """A connected client; errors in the block are translated, and a failed connection is not used again."""
        try:
            with _translate_errors(name, self._settings.host):
                if self._client is None:
                    self._client = self._connect()
                yield self._client
        except TransientTransportError:
            self.close()
            raise

    def _connect(self) -> _Client:
        settings = self._settings
        private_key = _private_key(settings.private_key)
        address = (settings.host, settings.port)
        line = socket.create_connection(address, timeout=settings.connect_seconds)
        # paramiko would wait for ever to write to a silent connection; this makes the kernel give up.
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(settings.reply_seconds * 1000))
        connection = paramiko.Transport(line)
        self._connection = connection
        connection.banner_timeout = settings.banner_seconds
        connection.handshake_timeout = settings.handshake_seconds
        connection.auth_timeout = settings.authentication_seconds
        connection.channel_timeout = settings.reply_seconds
        # Ask for the pinned kind of key only, so a server with several keys shows the pinned one.
        connection.get_security_options().key_types = _signature_kinds(self._host_key)
        try:
            connection.start_client(timeout=settings.banner_seconds + settings.handshake_seconds)
        except paramiko.ssh_exception.IncompatiblePeer as error:
            self.close()
            raise PermanentTransportError("KR-6210", host=settings.host) from error
        if connection.get_remote_server_key() != self._host_key:
            self.close()
            raise PermanentTransportError("KR-6201", host=settings.host)
        self._log_in(connection, private_key)
        channel = connection.open_session(timeout=settings.reply_seconds)
        channel.settimeout(settings.reply_seconds)
        # paramiko would wait for ever for this answer; closing the connection ends the wait.
        timer = threading.Timer(settings.reply_seconds, connection.close)
        timer.daemon = True
        timer.start()
        try:
            channel.invoke_subsystem("sftp")
        finally:
            timer.cancel()
        return _Client(channel)

    def _log_in(self, connection: paramiko.Transport, private_key: paramiko.PKey) -> None:
        try:
            remaining = connection.auth_publickey(self._settings.user, private_key)
        except paramiko.AuthenticationException as error:
            refused = connection.is_active() and str(error) != SILENT_LOGIN
            self.close()
            if not refused:
                raise
            raise PermanentTransportError("KR-6202", host=self._settings.host, user=self._settings.user) from error
        if remaining:
            self.close()
            raise PermanentTransportError("KR-6202", host=self._settings.host, user=self._settings.user)


class _Answer(paramiko.Message):  # type: ignore[misc]
    """An answer whose texts may not be UTF-8: such a name must be reportable, and such a refusal readable."""

    def get_text(self) -> str:
        return str(self.get_string().decode("utf-8", "surrogateescape"))


class _Client(paramiko.SFTPClient):  # type: ignore[misc]
    """paramiko's client, able to list any name and to read any refusal."""

    def _request(self, kind: int, *arguments: Any) -> Any:
        answer_kind, answer = super()._request(kind, *arguments)
        return answer_kind, _Answer(answer.get_remainder()) if answer_kind == CMD_NAME else answer

    def _convert_status(self, answer: paramiko.Message) -> None:
        super()._convert_status(_Answer(answer.get_remainder()))


@contextmanager
def _cleaning_up(client: paramiko.SFTPClient, path: str) -> Iterator[None]:
    """Remove the partial file of a failed upload, unless the connection is gone: then the next attempt overwrites it."""
    try:
        yield
    except (TimeoutError, ConnectionError, EOFError, paramiko.SSHException):
        raise
    except Exception:
        with suppress(Exception):
            client.remove(path)
        raise


def _remote_file(name: str, attributes: paramiko.SFTPAttributes) -> RemoteFile:
    modified = None if attributes.st_mtime is None else float(attributes.st_mtime)
    return RemoteFile(name, attributes.st_size, modified, _kind(attributes.st_mode))


def _chunks(remote: paramiko.SFTPFile) -> Iterator[bytes]:
    """The content of an open file, one request at a time, so the part before a lost connection is not lost.

    Prefetches only as much as the server says that there is. paramiko mistakes the end of the connection for the end of
    the file: if the length does not prove it, the server must still answer.
    """
    size, count = _size(remote), 0
    if size:
        remote.prefetch(size)
    while chunk := remote.read(remote.MAX_REQUEST_SIZE):
        count += len(chunk)
        yield chunk
    if size is None or count < size:
        remote.sftp.normalize(".")


def _size(remote: paramiko.SFTPFile) -> int | None:
    """The size of an open file as the server states it; None if it does not. A silent connection raises its error."""
    try:
        size: int | None = remote.stat().st_size
        return size
    except (TimeoutError, ConnectionError):
        raise
    except OSError:
        return None


def _read_hash(client: paramiko.SFTPClient, path: str) -> str:
    digest = hashlib.sha256()
    with client.open(path, "rb") as remote:
        for chunk in _chunks(remote):
            digest.update(chunk)
    return digest.hexdigest()


def _permanent_error(error: BaseException, name: str) -> PermanentTransportError | None:
    """The permanent failure that an error stands for; None when it is transient."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ENOENT:
        return PermanentTransportError("KR-6204", name=name)
    if number == errno.EACCES:
        return PermanentTransportError("KR-6203", name=name)
    if number in LOCAL_DISK_FAULTS:
        return PermanentTransportError("KR-6211", name=name, room="空きは renkei doctor で分かります")
    return None


def _pinned_key(text: str) -> paramiko.PKey:
    """`ssh-ed25519 AAAA…` as a key; KR-6209 when it is none."""
    try:
        kind, body = text.split()[:2]
        return paramiko.PKey.from_type_string(kind, binascii.a2b_base64(body, strict_mode=True))
    except (ValueError, paramiko.SSHException, paramiko.UnknownKeyType) as error:
        raise PermanentTransportError("KR-6209") from error


def _signature_kinds(key: paramiko.PKey) -> tuple[str, ...]:
    """The signature algorithms by which a server proves that it has this key, without SHA-1."""
    name = str(key.get_name())
    return ("rsa-sha2-512", "rsa-sha2-256") if name == "ssh-rsa" else (name,)


def _private_key(path: Path) -> paramiko.PKey:
    """The private key; KR-6208 when it is missing, open to others, protected by a passphrase, or no key."""
    try:
        mode = path.stat().st_mode
        if mode & (modes.S_IRWXG | modes.S_IRWXO):
            raise PermanentTransportError("KR-6208", path=str(path), reason="本人以外も読めます")
        return paramiko.PKey.from_path(path)
    except OSError as error:
        raise PermanentTransportError("KR-6208", path=str(path), reason=reason_of(error)) from error
    except (ValueError, TypeError, paramiko.SSHException, paramiko.UnknownKeyType) as error:
        raise PermanentTransportError("KR-6208", path=str(path), reason="鍵として読めません") from error
