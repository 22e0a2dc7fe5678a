"""Helpers for servers that tests start: free ports, keys, waiting. The fixtures are in `conftest`."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# 200 looks × 50 ms = 10 s, for a machine that is busy with other things.
LOOKS = 200
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class OpenSshServer:
    """A running sshd that offers SFTP and nothing else. `root` is its folder on this machine."""

    host: str
    port: int
    user: str
    private_key: Path
    host_key: str
    root: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_key(path: Path) -> str:
    """A new key pair; gives the public half as `ssh-ed25519 AAAA…`."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    path.touch(mode=0o600)
    path.write_bytes(private)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return public.decode()


def write_certificate(folder: Path) -> None:
    """A self-made certificate for 127.0.0.1 with its key: `certificate.pem`, `key.pem`."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


def wait_until(ready: Callable[[], bool], what: str) -> None:
    for _ in range(LOOKS):
        if ready():
            return
        time.sleep(LOOK_SECONDS)
    raise AssertionError(f"{what} did not start")


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
