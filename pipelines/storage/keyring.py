"""Our key pairs in one folder: created, found, unlocked. They are used by `cms`, `archive` and `tables`."""

from __future__ import annotations

import datetime as dt
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from interfaces.messages import RenkeiError
from interfaces.private import private_folder
from pipelines.storage.files import erasing, wait_for_lock, write_durably

Purpose = Literal["transfer", "records", "my_number"]
# transfer: signs what we send, decrypts what is encrypted for us. records: personal columns, and the copies of sent and
# received files. my_number: the tables of 個人番号, and nothing else (D-013).
PURPOSES: Final[tuple[Purpose, ...]] = ("transfer", "records", "my_number")
# CRYPTREC asks for more than 112 bits of security after 2030; 3072 bits of RSA give 128.
RSA_BITS: Final = 3072
# Two years of use and a quarter for the rotation.
VALID_DAYS: Final = 2 * 365 + 92
PASSPHRASE_BYTES: Final = 32


@dataclass(frozen=True)
class KeyPair:
    """One generation of a purpose. The private key stays on disk until `KeyRing.unlock`."""

    purpose: Purpose
    generation: int
    certificate: x509.Certificate
    key_path: Path

    @property
    def name(self) -> str:
        """The name by which encrypted tables refer to it, e.g. `records-1`."""
        return f"{self.purpose}-{self.generation}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hexadecimal: what two people compare on the telephone."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()


class KeyRing:
    """The key pairs of a deployment: `<purpose>-<generation>.{key,cert}.pem`, private keys under the passphrase.

    `create_if_missing`: create a missing pair at its first use, because nothing exists yet that an older one would have to
    decrypt. A process without a private key can encrypt for it, but decrypt nothing. `clock` dates certificates;
    `on_key_created` is called with every new pair; `excluded` is the name of a pair to leave out.
    """

    def __init__(
        self,
        folder: Path,
        passphrase_file: Path,
        owner: str,
        *,
        create_if_missing: bool = False,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        on_key_created: Callable[[KeyPair], None] = lambda pair: None,
        excluded: str = "",
    ) -> None:
        self.folder = folder
        self._passphrase_file = passphrase_file
        self._owner = owner
        self._create_if_missing = create_if_missing
        self._clock = clock
        self._on_key_created = on_key_created
        self._excluded = excluded
        self._unlocked: dict[Path, rsa.RSAPrivateKey] = {}
        self._pairs: dict[Purpose, list[KeyPair]] = {}

    def pairs(self, purpose: Purpose) -> list[KeyPair]:
        """Every generation of a purpose, newest first; empty when there is none."""
        if not self._pairs.get(purpose):
            found = []
            for path in self.folder.glob(f"{purpose}-*.cert.pem"):
                generation = int(path.name.removeprefix(f"{purpose}-").removesuffix(".cert.pem"))
                certificate = _read_certificate(path)
                pair = KeyPair(purpose, generation, certificate, _key_path(path))
                found += [pair] if pair.name != self._excluded else []
            self._pairs[purpose] = sorted(found, key=lambda pair: -pair.generation)
        return self._pairs[purpose]

    def current(self, purpose: Purpose) -> KeyPair:
        """The newest generation, created now with `create_if_missing`; else KR-7111 when there is none."""
        if not self.pairs(purpose):
            if not self._create_if_missing:
                raise RenkeiError("KR-7111", purpose=purpose, folder=self.folder.name)
            self.create(purpose)
        return self.pairs(purpose)[0]

    def owners(self) -> set[str]:
        """The owners that the certificates of all generations name."""
        return {_owner(pair) for purpose in PURPOSES for pair in self.pairs(purpose)}

    def named(self, name: str) -> KeyPair:
        """The pair that an encrypted table refers to; KR-7112 when this ring does not have it."""
        purpose = name.rpartition("-")[0]
        for pair in self.pairs(purpose) if purpose in PURPOSES else ():  # type: ignore[arg-type]  # one of PURPOSES
            if pair.name == name:
                return pair
        raise RenkeiError("KR-7112", key=name)

    def unlock(self, pair: KeyPair) -> rsa.RSAPrivateKey:
        """The private key. KR-7112 not here or not ours to read, KR-7106 others can read it, KR-7113 wrong passphrase."""
        if pair.key_path not in self._unlocked:
            data, passphrase = _owners_alone(pair.key_path, pair.name), self._passphrase
            try:
                key = serialization.load_pem_private_key(data, passphrase, unsafe_skip_rsa_key_validation=True)
            except (ValueError, UnsupportedAlgorithm) as error:
                raise RenkeiError("KR-7113", key=pair.name) from error
            if not isinstance(key, rsa.RSAPrivateKey) or not _is_sound(key, pair.certificate):
                raise RenkeiError("KR-7113", key=pair.name)
            self._unlocked[pair.key_path] = key
        return self._unlocked[pair.key_path]

    @property
    def used(self) -> list[KeyPair]:
        """The pairs whose private keys were unlocked so far, by name."""
        pairs = [pair for purpose in PURPOSES for pair in self.pairs(purpose) if pair.key_path in self._unlocked]
        return sorted(pairs, key=lambda pair: pair.name)

    @cached_property
    def _passphrase(self) -> bytes:
        return _owners_alone(self._passphrase_file, self._passphrase_file.name).strip()

    def excluding(self, name: str) -> KeyRing:
        """This ring without one of its pairs: whatever it still decrypts does not need that pair."""
        return KeyRing(self.folder, self._passphrase_file, self._owner, excluded=name)

    def create(self, purpose: Purpose, *, new_generation: bool = False) -> KeyPair:
        """Create the first generation unless there is one already, or the next one with `new_generation`, as private files.

        A passphrase is created with the very first key only. KR-7112, KR-7113 when the passphrase does not unlock an
        existing key.
        """
        with self._locked():
            self._pairs.clear()
            existing = self.pairs(purpose)
            if existing and not new_generation:
                return existing[0]
            unlockable = [
                pair for other_purpose in PURPOSES for pair in self.pairs(other_purpose) if pair.key_path.is_file()
            ]
            if unlockable:
                self.unlock(
                    unlockable[0]
                )  # fails if the passphrase is not theirs: a key under another one could not be unlocked later
            elif not self._passphrase_file.exists():
                write_durably(self._passphrase_file, secrets.token_hex(PASSPHRASE_BYTES).encode() + b"\n")
            generation = existing[0].generation + 1 if existing else 1
            key = rsa.generate_private_key(65537, RSA_BITS)
            path = self.folder / f"{purpose}-{generation}.cert.pem"
            encryption = serialization.BestAvailableEncryption(self._passphrase)
            pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
            # The certificate comes last: a pair without it does not exist.
            write_durably(_key_path(path), pem)
            certificate = _certificate(key, f"{self._owner} {purpose}-{generation}", self._clock())
            write_durably(path, certificate.public_bytes(serialization.Encoding.PEM))
            self._pairs.clear()
            created = self.pairs(purpose)[0]
        self._on_key_created(created)
        return created

    def destroy(self, pair: KeyPair) -> None:
        """Remove a private key that is not needed any more; its certificate stays as a record of its use. KR-6606."""
        with erasing("鍵のフォルダ", pair.key_path.name):
            pair.key_path.unlink(missing_ok=True)
        self._unlocked.pop(pair.key_path, None)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = private_folder(self.folder) / ".lock"
        handle = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            wait_for_lock(handle, lock)
            yield
        finally:
            os.close(handle)


def _read_certificate(path: Path) -> x509.Certificate:
    """One of our certificates; KR-7113 when it is damaged."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise RenkeiError("KR-7113", key=path.name) from error


def _is_sound(key: rsa.RSAPrivateKey, certificate: x509.Certificate) -> bool:
    """Whether a private key belongs to the certificate and is undamaged: factors of the modulus, and matching exponents.

    Then the factors are the primes from which the pair was made; a primality test would take 0.1 s per key.
    """
    own = key.private_numbers()
    e, p, q = own.public_numbers.e, own.p, own.q
    return (
        own.public_numbers == certificate.public_key().public_numbers()  # type: ignore[union-attr]  # KeyRing makes RSA keys only
        and p * q == own.public_numbers.n
        and min(p, q) > 1
        and own.iqmp * q % p == 1
        and all(e * d % (prime - 1) == 1 for prime, d in ((p, own.dmp1), (q, own.dmq1), (p, own.d), (q, own.d)))
    )


def _owner(pair: KeyPair) -> str:
    (name,) = pair.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value).removesuffix(f" {pair.name}")


def _key_path(certificate: Path) -> Path:
    return certificate.with_name(certificate.name.removesuffix(".cert.pem") + ".key.pem")


def _owners_alone(path: Path, name: str) -> bytes:
    """The content of a secret file; KR-7106 when others can read it, KR-7112 when it is not there for this process."""
    try:
        if path.stat().st_mode & 0o077:
            raise RenkeiError("KR-7106", name=name)
        return path.read_bytes()
    except OSError as error:
        raise RenkeiError("KR-7112", key=name) from error


def _certificate(key: rsa.RSAPrivateKey, common_name: str, now: dt.datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # a partner's clock may be behind
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
        .add_extension(usage, critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
