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

from tests.support.paths import ROOT
from tests.support.reverse_proxy import Doors
from tests.support.servers import free_port, listens, wait_until, write_certificate

SHIPPED = ROOT / "dagster_home"
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
    write_certificate(prefix / "nginx")
    passwords = {"analyst": "見る人の合言葉", "operator": "動かす人の合言葉"}
    for user, file in (("analyst", "viewers"), ("operator", "operators")):
        (prefix / "nginx" / file).write_text(f"{user}:{_hashed(passwords[user])}\n")
    account = pwd.getpwnam("www-data") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    site = {name: (SHIPPED / "nginx" / name).read_text() for name in ("webservers.conf", "listen.conf")}
    commands = re.findall(r"^#   (dagster-webserver .*)$", site["webservers.conf"], re.M)
    ports: dict[str, int] = {}
    try:
        with ExitStack() as running:
            # A port is chosen as late as can be: other tests look for free ones, too.
            for shipped, command in zip(("3200", "3201"), commands, strict=True):
                port = ports[shipped] = free_port()
                name, *arguments = shlex.split(command.replace(shipped, str(port)))
                running.enter_context(
                    _running([COMMANDS / name, *arguments], home / f"{shipped}.log", port, env=environment)
                )
            port = ports["8443"] = free_port()
            for name, text in site.items():
                numbers = re.compile("|".join(ports))
                (prefix / "nginx" / name).write_text(numbers.sub(lambda found: str(ports[found[0]]), text))
            for path in (prefix, *prefix.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid)
            command = [nginx, "-p", prefix, "-c", "nginx.conf", "-e", "nginx/error.log", "-g", "daemon off;"]
            own = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            running.enter_context(_running(command, home / "nginx.log", port, **own))
            yield Doors(port, (ports["3200"], ports["3201"]), prefix / "nginx", passwords)
    finally:
        shutil.rmtree(prefix)
