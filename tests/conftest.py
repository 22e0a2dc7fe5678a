"""Servers that tests talk to for real: an OpenSSH server and a PostgreSQL server, started here and stopped here."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg2
import pytest

from tests.support.provoked import Provoked
from tests.support.servers import OpenSshServer, free_port, listens, wait_until, write_key

SSHD = Path("/usr/sbin/sshd")
DATABASES = count(1)
# Thousands of small databases are made, and their writes are waited for: in memory that takes half of the time.
MEMORY, MEMORY_NEEDED_BYTES = Path("/dev/shm"), 4_000_000_000
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED_BYTES:
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None
# One person runs the tests, as maker and as approver; a test about accounts says who calls sudo.
os.environ.pop("SUDO_USER", None)


def pytest_configure(config: pytest.Config) -> None:
    """A whole run fails when it did not provoke all codes of the catalogue (`provoked`)."""
    config.pluginmanager.register(Provoked(config), "provoked")


@pytest.fixture(scope="session", autouse=True)
def files_for_people(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the program left in the tests' folders is looked at when all tests are done."""
    yield
    watcher = request.config.pluginmanager.get_plugin("provoked")
    assert isinstance(watcher, Provoked)
    watcher.look_into(tmp_path_factory.getbasetemp())


def _need(program: Path | None, package: str) -> Path:
    """A program of a Debian package; without it the tests that need it are skipped, but never in CI."""
    if program is not None and program.exists():
        return program
    if os.environ.get("CI"):
        pytest.fail(f"{package} is not installed")
    pytest.skip(f"needs Debian's {package}")


@pytest.fixture
def chromium() -> Path:
    """Debian's Chromium, with pdftotext and pdfinfo to read what it prints."""
    for program in ("pdftotext", "pdfinfo"):
        found = shutil.which(program)
        _need(Path(found) if found else None, "poppler-utils")
    return _need(Path("/usr/bin/chromium"), "chromium")


@pytest.fixture(scope="session")
def openssl() -> Path:
    """Debian's openssl, the partner's tool in the tests of seals."""
    found = shutil.which("openssl")
    return _need(Path(found) if found else None, "openssl")


@pytest.fixture(scope="session")
def nginx(openssl: Path) -> Path:
    """Debian's nginx; its certificate is made by openssl."""
    return _need(Path("/usr/sbin/nginx"), "nginx-light")


@pytest.fixture(scope="session")
def faketime() -> Path:
    """Debian's faketime, for processes that shall see another time of day."""
    found = shutil.which("faketime")
    return _need(Path(found) if found else None, "faketime")


@pytest.fixture
def openssh_server(tmp_path: Path) -> Iterator[OpenSshServer]:
    """Debian's OpenSSH on a loopback port, with folders `to_union` and `from_union` below its root."""
    _need(SSHD, "openssh-server")
    folder, root = tmp_path / "sshd", tmp_path / "union"
    for path in (folder, root / "to_union", root / "from_union"):
        path.mkdir(parents=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    host_key = write_key(folder / "host_key")
    (folder / "authorized_keys").write_text(write_key(folder / "user_key") + "\n")
    port = free_port()
    (folder / "sshd_config").write_text(
        f"""
ListenAddress 127.0.0.1
Port {port}
HostKey {folder / "host_key"}
PidFile none
AuthorizedKeysFile {folder / "authorized_keys"}
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stdout=log, stderr=log)
    try:
        wait_until(lambda: server.poll() is not None or listens(port), "sshd")
        assert server.poll() is None, (folder / "log").read_text()
        yield OpenSshServer("127.0.0.1", port, getpass.getuser(), folder / "user_key", host_key, root)
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[int]:
    """Debian's PostgreSQL on a loopback port; gives the port. It does not run as root, so neither does this one."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    binaries = _need(installed[-1] if installed else None, "postgresql")
    # Not below pytest's own folder: other users cannot read that one.
    folder = Path(tempfile.mkdtemp(prefix="renkei-postgres-"))
    account = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    os.chown(folder, account.pw_uid, account.pw_gid)
    data, port = folder / "data", free_port()

    def run(*command: object) -> None:
        subprocess.run(
            [str(part) for part in command],
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=[],
            cwd=folder,
            check=True,
            capture_output=True,
        )

    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    try:
        run(binaries / "initdb", "-D", data, "-U", "renkei", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        run(binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
        try:
            yield port
        finally:
            run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres_server: int) -> Iterator[str]:
    """An empty database of the test's own."""
    name = f"renkei_{next(DATABASES)}"
    server = psycopg2.connect(host="127.0.0.1", port=postgres_server, user="renkei", dbname="postgres")
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield f"postgresql+psycopg2://renkei@127.0.0.1:{postgres_server}/{name}"
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    server.close()
