"""The doors to the Dagster UI as they are shipped: nginx in front of two real web servers, with one account for each door."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from doors import Doors
from servers import free_port, listens, wait_until, write_certificate

SHIPPED = Path(__file__).parents[2] / "dagster_home"
COMMANDS = Path(sys.executable).parent
# A web server imports every definition before it listens: 3 × 10 s of looking, on a machine that is busy.
PATIENCE = 3


@contextmanager
def _running(command: list[object], log: Path, port: int, **options: object) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=output, **options)  # type: ignore[call-overload]
    try:
        for attempt in range(PATIENCE):
            try:
                wait_until(lambda: process.poll() is not None or listens(port), log.name)
                break
            except AssertionError:
                if attempt == PATIENCE - 1:
                    raise
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait()


def _hashed(password: str) -> str:
    done = subprocess.run(["openssl", "passwd", "-6", password], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def doors(nginx: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Shipped configuration, started by its own comments; only the port numbers are other ones."""
    home = tmp_path_factory.mktemp("doors")
    shutil.copy(SHIPPED / "dagster.yaml", home)
    (home / "extracts").mkdir()
    (home / "renkei.toml").write_text(
        'municipality_code = "999997"\ninsurer_number = "990010"\nprefecture_code = "99"\n'
        'data_folder = "data"\nextract_folder = "extracts"\noperator = "試験"\n',
        encoding="utf-8",
    )
    environment = os.environ | {"DAGSTER_HOME": str(home), "RENKEI_SETTINGS": str(home / "renkei.toml")}
    subprocess.run([COMMANDS / "dagster", "instance", "migrate"], env=environment, check=True, capture_output=True)
    # nginx does not run as root, so its folder is not below pytest's own, which is closed to others.
    prefix = Path(tempfile.mkdtemp(prefix="renkei-doors-"))
    shutil.copy(SHIPPED / "nginx.conf", prefix)
    (prefix / "nginx").mkdir()
    site = {name: (SHIPPED / "nginx" / name).read_text() for name in ("listen.conf", "webservers.conf")}
    ports = {port: free_port() for port in ("8443", "3200", "3201")}
    for name, text in site.items():
        (prefix / "nginx" / name).write_text(re.sub(r"\b(8443|3200|3201)\b", lambda found: str(ports[found[1]]), text))
    write_certificate(prefix / "nginx")
    passwords = {"analyst": "見る人の合言葉", "operator": "動かす人の合言葉"}
    for user, file in (("analyst", "viewers"), ("operator", "operators")):
        (prefix / "nginx" / file).write_text(f"{user}:{_hashed(passwords[user])}\n")
    account = pwd.getpwnam("www-data") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    for path in (prefix, *prefix.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid)
    commands = re.findall(r"^#   (dagster-webserver .*)$", (prefix / "nginx" / "webservers.conf").read_text(), re.M)
    try:
        with ExitStack() as running:
            for command, port in zip(commands, ("3200", "3201"), strict=True):
                name, *arguments = shlex.split(command)
                running.enter_context(
                    _running([COMMANDS / name, *arguments], home / f"{port}.log", ports[port], env=environment)
                )
            running.enter_context(
                _running(
                    [nginx, "-p", prefix, "-c", "nginx.conf", "-e", "nginx/error.log", "-g", "daemon off;"],
                    home / "nginx.log",
                    ports["8443"],
                    user=account.pw_uid,
                    group=account.pw_gid,
                    extra_groups=[],
                )
            )
            yield Doors(ports["8443"], (ports["3200"], ports["3201"]), prefix / "nginx", passwords)
    finally:
        shutil.rmtree(prefix)
