"""The words of the ledger: directions, states and the moves between them, and what is noted. They stand in databases and in
the hash chain, so a word that was written once never changes. Reads and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Self


class _Stored(StrEnum):
    """A word in the table of entries. One that somebody wrote there past us is read as it is; `verify_chain` tells of it."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        strange = str.__new__(cls, value)
        strange._name_ = strange._value_ = value
        return strange


class Direction(_Stored):
    """Which way a file goes, as seen from the municipality."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


class EventKind(StrEnum):
    """What a row of the history tells: an entry's first state, a later one, or what happened without a change of state."""

    ENTERED = "entered"
    MOVED = "moved"
    NOTED = "noted"


class EntryState(_Stored):
    """Where a file stands; one list for both directions, because `rejected` is in both."""

    WRITTEN = "written"
    APPROVED = "approved"
    SEALED = "sealed"
    SENDING = "sending"
    UPLOADED = "uploaded"
    # The server took the file away before we could read it back or give it its name. Whether the Union has it, a person
    # asks (or its answer tells); nothing is sent again until then.
    UNCONFIRMED = "unconfirmed"
    SENT = "sent"
    ACCEPTED = "accepted"
    RECALLED = "recalled"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    REJECTED = "rejected"
    DETECTED = "detected"
    CLAIMED = "claimed"
    VANISHED = "vanished"
    RECEIVED = "received"
    VERIFIED = "verified"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"
    STALE = "stale"
    RELEASED = "released"
    APPLIED = "applied"


class LedgerEvent(StrEnum):
    """What is noted in the history without a change of state."""

    ALREADY_SENT = "already_sent"
    SUPERSEDED = "superseded"
    RENAMING = "renaming"
    DISCARDING = "discarding"
    RESEALED = "resealed"
    REMOVED_FROM_SERVER = "removed_from_server"
    GONE_FROM_SERVER = "gone_from_server"  # by the server's own doing, after we had fetched it
    KEPT_COPY = "kept_copy"
    FILE_MADE = "file_made"
    QUIET_DAY = "quiet_day"
    NO_INSTRUCTION = "no_instruction"
    INSTRUCTION_FOR_TYPING = "instruction_for_typing"
    WORKSHEET_IMPORTED = "worksheet_imported"
    TYPED = "typed"
    LOSS_CONFIRMED = "loss_confirmed"
    PERSON_CONFIRMED = "person_confirmed"
    AMOUNT_CONFIRMED = "amount_confirmed"
    ANSWER_TO_UNRECORDED = "answer_to_unrecorded"
    DISMISSED = "dismissed"  # a person's word that a trace is none of a file sent or received
    RETAKEN = "retaken"
    BELONGS_TO = "belongs_to"
    LEDGER_UPGRADED = "ledger_upgraded"
    KEY_CREATED = "key_created"
    KEY_ROTATED = "key_rotated"
    KEY_RETIRED = "key_retired"
    MEDIA_EXPORTED = "media_exported"
    MEDIA_IMPORTED = "media_imported"
    MEDIA_ERASED = "media_erased"
    ERASED = "erased"
    NOT_ERASED = "not_erased"


_S = EntryState
_GIVEN_UP: Final = frozenset({_S.SUPERSEDED, _S.WITHDRAWN})

# Every move that an entry may make after it is entered.
# `approved` and `sealed` may be skipped: what needs neither goes from written to sending. What is approved is the
# content's hash, so the approval comes before the seal, which is another one every time.
# uploaded → sending: a crash cut off our own discarding of the temporary file.
TRANSITIONS: Final[Mapping[Direction, Mapping[EntryState, frozenset[EntryState]]]] = {
    Direction.OUTBOUND: {
        _S.WRITTEN: _GIVEN_UP | {_S.APPROVED, _S.SEALED, _S.SENDING},
        _S.APPROVED: _GIVEN_UP | {_S.SEALED, _S.SENDING},
        _S.SEALED: _GIVEN_UP | {_S.SENDING},
        _S.SENDING: _GIVEN_UP | {_S.UPLOADED, _S.UNCONFIRMED},
        _S.UPLOADED: _GIVEN_UP | {_S.SENT, _S.SENDING, _S.UNCONFIRMED},
        _S.UNCONFIRMED: frozenset({_S.SENT, _S.WITHDRAWN}),
        _S.SENT: frozenset({_S.ACCEPTED, _S.REJECTED, _S.RECALLED}),
    },
    Direction.INBOUND: {
        _S.DETECTED: frozenset({_S.CLAIMED, _S.VANISHED}),
        _S.CLAIMED: frozenset({_S.RECEIVED, _S.VANISHED}),
        _S.RECEIVED: frozenset({_S.VERIFIED, _S.QUARANTINED, _S.DUPLICATE, _S.STALE}),
        _S.VERIFIED: frozenset({_S.APPLIED, _S.QUARANTINED, _S.STALE}),
        _S.QUARANTINED: frozenset({_S.RELEASED, _S.REJECTED}),
        _S.STALE: frozenset({_S.RELEASED, _S.REJECTED}),
        _S.RELEASED: frozenset({_S.APPLIED}),
    },
}

SENT_STATES: Final = frozenset({_S.SENT, _S.ACCEPTED})
# The Union has the file, or only a person or its answer can tell whether it has.
SETTLED_AT_UNION: Final = SENT_STATES | {_S.UNCONFIRMED}
# The Union may already have the file: `uploaded` may have been renamed just before a crash.
POSSIBLY_OUT_STATES: Final = SETTLED_AT_UNION | {_S.UPLOADED}
# The file is, was or may be at the Union, or is just on its way there.
OUT_STATES: Final = POSSIBLY_OUT_STATES | {_S.SENDING, _S.REJECTED, _S.RECALLED}
# An entry in one of these no longer stands for its partition and interface; a new one may be entered.
CLOSED_OUTBOUND_STATES: Final = _GIVEN_UP | {_S.REJECTED, _S.RECALLED}
# The way of a file from our disk to the Union, once it is made and sealed.
DELIVERY: Final = (_S.SENDING, _S.UPLOADED, _S.SENT)
# Made, and not on its way to the Union's server yet.
UNSENT_STATES: Final = frozenset({_S.WRITTEN, _S.APPROVED, _S.SEALED})
UNSEALED_STATES: Final = UNSENT_STATES - {_S.SEALED}

# The fetch of the file is not finished.
FETCHING_STATES: Final = frozenset({_S.DETECTED, _S.CLAIMED})
# A content of these is known: the same bytes again are a duplicate. A rejected content may come again.
KNOWN_STATES: Final = frozenset({_S.RECEIVED, _S.VERIFIED, _S.APPLIED, _S.QUARANTINED, _S.RELEASED, _S.STALE})
# A name of these is taken: other bytes under it must be looked at by a person.
NAMED_STATES: Final = frozenset({_S.VERIFIED, _S.APPLIED, _S.RELEASED, _S.STALE})
# The file is sound, or a person let it in: it waits to be applied.
WAITING_STATES: Final = frozenset({_S.VERIFIED, _S.RELEASED})
# What a person may let in or refuse. A stale file is sound: it was only overtaken by a newer one.
DECIDABLE_STATES: Final = frozenset({_S.QUARANTINED, _S.STALE})
