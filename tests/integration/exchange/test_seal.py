"""Seals: the partner's openssl opens and verifies what we seal, and we refuse what is not the partner's."""

from __future__ import annotations

import datetime as dt
import subprocess
from pathlib import Path

import pytest

from interfaces.messages import RenkeiError
from pipelines.storage.cms import decrypt, decrypt_and_verify, encrypt, sign_and_encrypt
from pipelines.storage.keyring import KeyRing
from tests.support.rings import key_folder, ring

CONTENT = "合成　1行目\r\n2\n\r3\r\n".encode("cp932") * 400


@pytest.fixture(scope="module")
def union(openssl: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Union's folder: a key and certificate of its own, and one of a stranger, made by openssl."""
    folder = tmp_path_factory.mktemp("union")
    for name in ("union", "stranger"):
        run_openssl(
            folder,
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.pem",
            "-days",
            "30",
            "-subj",
            f"/CN={name}",
        )
    (folder / "ours.pem").write_bytes((key_folder() / "transfer-1.cert.pem").read_bytes())
    return folder


def run_openssl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def certificate(folder: Path, name: str):  # type: ignore[no-untyped-def]
    from cryptography import x509

    return x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())


def from_union(folder: Path, signer: str = "union", content: bytes = CONTENT, recipient: str = "ours") -> bytes:
    """A file as openssl signs and seals it for us."""
    (folder / "plain").write_bytes(content)
    run_openssl(folder, "cms", "-sign", "-binary", "-nodetach", "-in", "plain", "-outform", "DER", "-out", "signed",
            "-signer", f"{signer}.pem", "-inkey", f"{signer}.key", "-md", "sha256")  # fmt: skip
    run_openssl(
        folder,
        "cms",
        "-encrypt",
        "-binary",
        "-aes256",
        "-in",
        "signed",
        "-outform",
        "DER",
        "-out",
        "sealed",
        f"{recipient}.pem",
    )
    return (folder / "sealed").read_bytes()


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def code_of(data: bytes, signers: list[object], at: dt.datetime | None = None) -> str:
    with pytest.raises(RenkeiError) as caught:
        decrypt_and_verify(data, ring(), signers, at or now())  # type: ignore[arg-type]
    return caught.value.code


def opened_by_openssl(folder: Path, data: bytes) -> bytes:
    """What the Union does: decrypt with its key, then trust our certificate alone."""
    (folder / "arrived").write_bytes(data)
    run_openssl(
        folder,
        "cms",
        "-decrypt",
        "-inform",
        "DER",
        "-in",
        "arrived",
        "-inkey",
        "union.key",
        "-recip",
        "union.pem",
        "-out",
        "inner",
    )
    run_openssl(folder, "cms", "-verify", "-inform", "DER", "-in", "inner", "-certfile", "ours.pem", "-nointern",
            "-CAfile", "ours.pem", "-purpose", "any", "-out", "found")  # fmt: skip
    return (folder / "found").read_bytes()


def test_openssl_opens_and_verifies_what_we_seal(union: Path) -> None:
    data = sign_and_encrypt(CONTENT, ring(), certificate(union, "union"))
    assert b"\x82\xb2" not in data or CONTENT not in data
    assert opened_by_openssl(union, data) == CONTENT


def test_openssl_refuses_what_was_changed_or_signed_by_another(union: Path, tmp_path: Path) -> None:
    other = KeyRing(tmp_path / "other", tmp_path / "other" / "passphrase", "別")
    other.create("transfer")
    with pytest.raises(subprocess.CalledProcessError):
        opened_by_openssl(union, sign_and_encrypt(CONTENT, other, certificate(union, "union")))
    data = bytearray(sign_and_encrypt(CONTENT, ring(), certificate(union, "union")))
    data[len(data) // 2] ^= 1
    with pytest.raises(subprocess.CalledProcessError):
        opened_by_openssl(union, bytes(data))


def test_we_open_what_the_union_seals(union: Path) -> None:
    assert decrypt_and_verify(from_union(union), ring(), [certificate(union, "union")], now()) == CONTENT


def test_while_the_union_changes_its_certificate_both_are_trusted(union: Path) -> None:
    both = [certificate(union, "stranger"), certificate(union, "union")]
    assert decrypt_and_verify(from_union(union), ring(), both, now()) == CONTENT


def test_an_empty_file_is_sealed_and_opened_too(union: Path) -> None:
    assert decrypt_and_verify(from_union(union, content=b""), ring(), [certificate(union, "union")], now()) == b""
    assert opened_by_openssl(union, sign_and_encrypt(b"", ring(), certificate(union, "union"))) == b""


def test_another_signer_is_refused_even_when_their_certificate_comes_with_it(union: Path) -> None:
    assert code_of(from_union(union, signer="stranger"), [certificate(union, "union")]) == "KR-6322"


def test_a_file_for_somebody_else_or_no_seal_at_all_is_refused(union: Path) -> None:
    assert code_of(from_union(union, recipient="stranger"), [certificate(union, "union")]) == "KR-6321"
    for data in (b"", b"plain text", CONTENT, b"\x30\x80"):
        assert code_of(data, [certificate(union, "union")]) == "KR-6321"


def test_an_envelope_without_a_signature_is_refused(union: Path) -> None:
    data = encrypt(CONTENT, ring().current("transfer").certificate)
    assert code_of(data, [certificate(union, "union")]) == "KR-6322"


def test_an_expired_certificate_is_refused(union: Path) -> None:
    data = from_union(union)
    assert code_of(data, [certificate(union, "union")], now() + dt.timedelta(days=31)) == "KR-6323"
    assert code_of(data, [certificate(union, "union")], now() - dt.timedelta(days=2)) == "KR-6323"


def test_no_flipped_byte_passes(union: Path) -> None:
    """Through the whole file: every answer is a refusal or, where a byte carries no meaning, the very content."""
    signer, data = certificate(union, "union"), from_union(union, content=b"synthetic\r\n" * 20)
    refused = 0
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x10
        try:
            assert decrypt_and_verify(bytes(changed), ring(), [signer], now()) == b"synthetic\r\n" * 20
        except RenkeiError as error:
            assert error.code in ("KR-6321", "KR-6322")
            refused += 1
    # We do not trust the certificate that comes along, so its bytes do not matter.
    assert refused > len(data) // 2


def test_no_flipped_byte_of_the_signed_part_passes(union: Path) -> None:
    """The same below the envelope, where only the signature stands guard."""
    signer, content = certificate(union, "union"), b"synthetic\r\n" * 20
    from_union(union, content=content)
    signed = (union / "signed").read_bytes()
    refused = 0
    for place in range(len(signed)):
        changed = bytearray(signed)
        changed[place] ^= 0x10
        data = encrypt(bytes(changed), ring().current("transfer").certificate)
        try:
            assert decrypt_and_verify(data, ring(), [signer], now()) == content
        except RenkeiError as error:
            assert error.code == "KR-6322"
            refused += 1
    assert refused > len(content)


def test_after_a_new_generation_old_seals_still_open(tmp_path: Path) -> None:
    own = KeyRing(tmp_path, tmp_path / "passphrase", "試験")
    own.create("records")
    old = encrypt(CONTENT, own.current("records").certificate)
    assert own.create("records").generation == 1
    assert own.create("records", new_generation=True).generation == 2
    new = encrypt(CONTENT, own.current("records").certificate)
    again = KeyRing(tmp_path, tmp_path / "passphrase", "試験")
    assert decrypt(old, again, "records") == decrypt(new, again, "records") == CONTENT
    again.destroy(again.named("records-1"))
    with pytest.raises(RenkeiError, match="KR-7112"):
        decrypt(old, again, "records")
    assert decrypt(new, again, "records") == CONTENT


def test_private_keys_are_stored_encrypted(openssl: Path, tmp_path: Path) -> None:
    for path in key_folder().glob("*.key.pem"):
        assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        assert path.stat().st_mode & 0o077 == 0
        (tmp_path / "nothing").write_text("", encoding="ascii")
        with pytest.raises(subprocess.CalledProcessError):
            run_openssl(key_folder(), "pkey", "-in", path.name, "-passin", f"file:{tmp_path / 'nothing'}", "-noout")
        run_openssl(key_folder(), "pkey", "-in", path.name, "-passin", "file:passphrase", "-noout")
