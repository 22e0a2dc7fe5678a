"""What a packed file (gzip, zip) holds: unpacked in memory only, within limits. What was received stays as it is."""

from __future__ import annotations

import zipfile
import zlib
from io import BytesIO
from pathlib import PurePosixPath

from interfaces.workbook import MOST_RATIO

# 300,000 insured of 500 bytes each, and three times as much.
LARGEST_CONTENT = 600 * 1024 * 1024
# A file of blanks alone may be packed well: below this size the ratio tells nothing.
SMALL = 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_ENCRYPTED = 0x1


class NotUnpacked(Exception):
    """Why a packed file is refused, worded for people."""


def unpacked(content: bytes, name: str, wrapped_in: str) -> bytes:
    """The one file in a packed one called `name`; `NotUnpacked` when it cannot be read or is beyond the limits."""
    try:
        return _from_gzip(content) if wrapped_in == "gzip" else _from_zip(content, name)
    except (zlib.error, zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise NotUnpacked(f"{wrapped_in} として読めません") from error


def _limit(packed: int) -> int:
    return min(LARGEST_CONTENT, max(SMALL, packed * MOST_RATIO))


def _from_gzip(content: bytes) -> bytes:
    unpacking, limit = zlib.decompressobj(_GZIP), _limit(len(content))
    found = unpacking.decompress(content, limit + 1)
    if len(found) > limit:
        raise NotUnpacked("展開した大きさが限度を超えます")
    if not unpacking.eof:
        raise NotUnpacked("途中で切れています")
    if unpacking.unused_data:
        raise NotUnpacked("二つ以上のファイルか、余分なバイトが入っています")
    return found


def _from_zip(content: bytes, name: str) -> bytes:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        members = archive.infolist()
        if len(members) != 1:
            raise NotUnpacked(f"{len(members)}個のファイルが入っています（1個に限ります）")
        member, limit = members[0], _limit(len(content))
        if member.flag_bits & _ENCRYPTED:
            raise NotUnpacked("パスワードが付いています")
        stem = PurePosixPath(name).stem
        if member.filename not in (stem, f"{PurePosixPath(stem).stem}{PurePosixPath(member.filename).suffix}"):
            raise NotUnpacked("中のファイルの名前が、圧縮ファイルの名前と違います")
        with archive.open(member) as handle:  # the size that the archive states is not believed
            found = handle.read(limit + 1)
    if len(found) > limit:
        raise NotUnpacked("展開した大きさが限度を超えます")
    return found
