"""Random damage to bytes, as data for hypothesis."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

KINDS = ("flip", "insert", "remove", "truncate", "double")
Edits = list[tuple[str, float, bytes]]


def edits(pieces: Sequence[bytes]) -> st.SearchStrategy[Edits]:
    """Up to four edits with such pieces, or any bytes."""
    piece = st.sampled_from(pieces) | st.binary(min_size=1, max_size=8)
    return st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 1), piece), min_size=1, max_size=4)


def edited(data: bytes, changes: Edits) -> bytes:
    """The bytes after some edits, each at a share of their length."""
    for kind, share, piece in changes:
        at = int(share * len(data))
        after = at + len(piece)
        data = {
            "flip": data[:at] + piece + data[after:],
            "insert": data[:at] + piece + data[at:],
            "remove": data[:at] + data[after:],
            "truncate": data[:at],
            "double": data[:after] + data[at:],
        }[kind]
    return data
