"""Whether two names may belong to one person, and which machine account a command came from. Names are declared, not proved."""

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
    """The titles and forms of address in force on a day (`persons/titles.csv`), longest first. Errors of `Catalogue.table`."""
    rows = catalogue.table("persons/titles", on)
    return tuple(sorted({_letters(row["役職・敬称"]) for row in rows}, key=lambda title: (-len(title), title)))


def same_person(name: str, other: str, titles: tuple[str, ...]) -> bool:
    """Whether two names, as people write them, may belong to one person.

    Width, case, spaces, dots, bracketed text and titles are ignored. A part of a name counts as the same person: 山田 may
    be 山田太郎. A name without any letter may belong to anybody.
    """
    first, second = _bare(name, titles), _bare(other, titles)
    return first.startswith(second) or second.startswith(first)


def _bare(name: str, titles: tuple[str, ...]) -> str:
    wide = unicodedata.normalize("NFKC", name)
    bare = _letters(_BRACKETED.sub("", wide)) or _letters(wide)
    while suffix := next((title for title in titles if title != bare and bare.endswith(title)), None):
        bare = bare.removesuffix(suffix)
    while prefix := next((title for title in titles if title != bare and bare.startswith(title)), None):
        bare = bare.removeprefix(prefix)
    return bare


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def account() -> str:
    """The account that a command came from: `sudo:` and the account that called sudo, else `user:` and the process's own.

    The first belongs to a person; the second may be a machine account that several people share.
    """
    if caller := os.environ.get("SUDO_USER"):
        return PERSONAL + caller
    try:
        return f"user:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # an account without a name, as in a container
        return f"user:{os.getuid()}"
