"""CMS (RFC 5652): encryption for a certificate, signatures, decryption and verification. Bytes in, bytes out; no files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from interfaces.messages import RenkeiError
from pipelines.storage.keyring import KeyPair, KeyRing, Purpose

SUFFIX: Final = ".p7m"  # RFC 8551: application/pkcs7-mime
TO_UNION: Final = f".to_union{SUFFIX}"  # a copy that is encrypted for the Union, next to our own
_DIGESTS: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_SIGNATURES: Final = frozenset({"rsassa_pkcs1v15", "sha256_rsa", "sha384_rsa", "sha512_rsa"})


def plain_name(name: str) -> str:
    """The file's name without the suffix of the signed and encrypted form."""
    return name.removesuffix(SUFFIX)


def encrypt(data: bytes, recipient: x509.Certificate) -> bytes:
    """EnvelopedData (DER, AES-256) that only the recipient's private key decrypts."""
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(data).add_recipient(recipient)
    builder = builder.set_content_encryption_algorithm(algorithms.AES256)
    return builder.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def decrypt(data: bytes, ring: KeyRing, purpose: Purpose) -> bytes:
    """The content of EnvelopedData for any generation of a purpose; KR-6321 when none decrypts it.

    Errors of the key itself (KR-7106, KR-7112, KR-7113) are raised as they are: their remedy is another one.
    """
    pair = _recipient(data, ring.pairs(purpose))
    if pair is None:
        raise RenkeiError("KR-6321")
    try:
        return pkcs7.pkcs7_decrypt_der(data, pair.certificate, ring.unlock(pair), [])
    except RenkeiError:
        raise
    except Exception as error:  # damaged EnvelopedData fails in many ways, all of which mean the same
        raise RenkeiError("KR-6321") from error


def _recipient(data: bytes, pairs: Sequence[KeyPair]) -> KeyPair | None:
    """The key pair that it is encrypted for, by the certificate's serial number."""
    try:
        infos = cms.ContentInfo.load(data)["content"]["recipient_infos"]
        wanted = {int(info.chosen["rid"].chosen["serial_number"].native) for info in infos}
    except Exception:  # not CMS at all
        return None
    return next((pair for pair in pairs if pair.certificate.serial_number in wanted), None)


def sign_and_encrypt(data: bytes, ring: KeyRing, recipient: x509.Certificate) -> bytes:
    """Sign with our transfer key, then encrypt for the recipient: the form in which files are sent."""
    pair = ring.current("transfer")
    builder = pkcs7.PKCS7SignatureBuilder().set_data(data)
    builder = builder.add_signer(pair.certificate, ring.unlock(pair), hashes.SHA256())
    signed = builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities])
    return encrypt(signed, recipient)


def decrypt_and_verify(data: bytes, ring: KeyRing, signers: Sequence[x509.Certificate], at: dt.datetime) -> bytes:
    """The content of a file encrypted for us and signed by one of `signers`, whose certificate must be valid at `at`.

    KR-6321 not for us or not EnvelopedData, KR-6322 signature wrong or another signer, KR-6323 certificate expired.
    """
    return verify_signature(decrypt(data, ring, "transfer"), signers, at)


def verify_signature(signed: bytes, signers: Sequence[x509.Certificate], at: dt.datetime) -> bytes:
    """The content of SignedData (DER) with exactly one signature, by one of `signers`. KR-6322, KR-6323 as above."""
    try:
        content, signer, attributes = _parts(signed)
        certificate = _signer_of(signer, signers)
        _check_signature(content, signer, attributes, certificate)
    except (InvalidSignature, ValueError, KeyError, TypeError) as error:
        raise RenkeiError("KR-6322") from error
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise RenkeiError("KR-6323")
    return content


def _parts(signed: bytes) -> tuple[bytes, Any, Any]:
    info = cms.ContentInfo.load(signed, strict=True)
    if info["content_type"].native != "signed_data":
        raise ValueError("not signed")
    data = info["content"]
    if data["encap_content_info"]["content_type"].native != "data" or len(data["signer_infos"]) != 1:
        raise ValueError("not one signature over data")
    signer = data["signer_infos"][0]
    attributes = {attribute["type"].native: attribute["values"] for attribute in signer["signed_attrs"]}
    return bytes(data["encap_content_info"]["content"].native), signer, attributes


def _signer_of(signer: Any, signers: Sequence[x509.Certificate]) -> x509.Certificate:
    """The pinned certificate that the signature names; a certificate in the file itself proves nothing."""
    named = signer["sid"].chosen
    for certificate in signers:
        same_issuer = named["issuer"].dump() == certificate.issuer.public_bytes()
        if same_issuer and int(named["serial_number"].native) == certificate.serial_number:
            return certificate
    raise ValueError("signed by somebody else")


def _check_signature(content: bytes, signer: Any, attributes: Any, certificate: x509.Certificate) -> None:
    digest = _DIGESTS[signer["digest_algorithm"]["algorithm"].native]()
    if signer["signature_algorithm"]["algorithm"].native not in _SIGNATURES:
        raise ValueError("an algorithm that was not agreed")
    hashed = hashes.Hash(digest)
    hashed.update(content)
    if [value.native for value in attributes["message_digest"]] != [hashed.finalize()]:
        raise ValueError("the content was changed")
    if [value.native for value in attributes["content_type"]] != ["data"]:
        raise ValueError("the signature is over something else")
    public = certificate.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise ValueError("not an RSA key")
    public.verify(signer["signature"].native, signer["signed_attrs"].untag().dump(), padding.PKCS1v15(), digest)
