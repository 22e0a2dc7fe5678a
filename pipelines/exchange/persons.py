"""Whether two names may be one person's, and from which account of the machine a command came. Names are declared, not proved."""

from __future__ import annotations

import datetime as dt
import os
import pwd
import re
import unicodedata
from typing import Final

from interfaces.catalogue import Catalogue

_BRACKETED: Final = re.compile(r"[(\[{<〈《「『【〔][^)\]}>〉》」』】〕]*[)\]}>〉》」』】〕]")
PERSONAL: Final = "sudo:"


def load_titles(catalogue: Catalogue, on: dt.date) -> tuple[str, ...]:
    """Titles and forms of address of a day (`persons/titles.csv`), the longest first. Errors of `Catalogue.table`."""
    rows = catalogue.table("persons/titles", on)
    return tuple(sorted({_letters(row["役職・敬称"]) for row in rows}, key=lambda title: (-len(title), title)))


def same_person(one: str, other: str, titles: tuple[str, ...]) -> bool:
    """Whether two names, as people write them, may be one person's.

    Width, case, spaces, dots, brackets with what stands in them, and titles make no other person. Nor does a part of a
    name: 山田 may be 山田太郎. A name without a letter may be anybody's.
    """
    first, second = _bare(one, titles), _bare(other, titles)
    return first.startswith(second) or second.startswith(first)


def _bare(name: str, titles: tuple[str, ...]) -> str:
    wide = unicodedata.normalize("NFKC", name)
    bare = _letters(_BRACKETED.sub("", wide)) or _letters(wide)
    while title := next((one for one in titles if one != bare and bare.endswith(one)), None):
        bare = bare.removesuffix(title)
    while title := next((one for one in titles if one != bare and bare.startswith(one)), None):
        bare = bare.removeprefix(title)
    return bare


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def account() -> str:
    """The account that a command came from: `sudo:` and who called sudo, else `user:` and the process's own.

    The first is a person's; the second may be a machine account that several people share.
    """
    if caller := os.environ.get("SUDO_USER"):
        return PERSONAL + caller
    try:
        return f"user:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # an account without a name, as in a container
        return f"user:{os.getuid()}"
