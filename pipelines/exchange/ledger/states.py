"""The ledger's stored vocabulary: directions, states with their transitions, and events. The values are in databases and in
the hash chain, so a value that was written once never changes. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Self


class _Stored(StrEnum):
    """A value in the table of entries. An unknown one, written there by another program, is read as it is; `verify_chain`
    reports it."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = value
        return unknown


class Direction(_Stored):
    """The direction of a file, as seen from the municipality."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


class EventKind(StrEnum):
    """The kind of a row of the history: an entry's first state, a transition, or an event without a change of state."""

    ENTERED = "entered"
    MOVED = "moved"
    NOTED = "noted"


class Origin(StrEnum):
    """What started the work that an event belongs to. A person is distinguished from the clock, not from another person."""

    COMMAND = "command"  # a person at the command line
    SCREEN = "screen"  # a person in the Dagster UI
    SCHEDULE = "schedule"  # the daemon: a schedule or a sensor


class EntryState(_Stored):
    """The state of a file; one list for both directions, because `rejected` is in both."""

    WRITTEN = "written"
    APPROVED = "approved"
    SEALED = "sealed"
    SENDING = "sending"
    UPLOADED = "uploaded"
    # The server removed the file before we could read it back or rename it. A person asks the Union whether it has the
    # file (or its 受付結果 shows it); nothing is sent again until then.
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
    # Valid, and no code applies it: a person deals with it, and then says what became of it.
    KEPT = "kept"
    CLOSED = "closed"


class LedgerEvent(StrEnum):
    """What the history records without a change of state."""

    ALREADY_SENT = "already_sent"
    SUPERSEDED = "superseded"
    RENAMING = "renaming"
    DISCARDING = "discarding"
    RESEALED = "resealed"
    REMOVED_FROM_SERVER = "removed_from_server"
    GONE_FROM_SERVER = "gone_from_server"  # removed by the server itself after we had fetched it
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
    DISMISSED = "dismissed"  # a person states that a trace belongs to no file that was sent or received
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

# Every transition of an entry after it is created.
# `approved` and `sealed` may be skipped: a file that needs neither goes from written to sending. What is approved is the
# content's hash, so the approval comes before signing and encrypting, which give other bytes every time.
# uploaded → sending: a crash interrupted our own removal of the temporary file.
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
        _S.RECEIVED: frozenset({_S.VERIFIED, _S.KEPT, _S.QUARANTINED, _S.DUPLICATE, _S.STALE}),
        _S.VERIFIED: frozenset({_S.APPLIED, _S.QUARANTINED, _S.STALE}),
        _S.QUARANTINED: frozenset({_S.RELEASED, _S.KEPT, _S.REJECTED}),
        _S.KEPT: frozenset({_S.CLOSED}),
        _S.STALE: frozenset({_S.RELEASED, _S.REJECTED}),
        _S.RELEASED: frozenset({_S.APPLIED}),
    },
}

SENT_STATES: Final = frozenset({_S.SENT, _S.ACCEPTED})
# The Union has the file, or only a person or the Union's 受付結果 can tell whether it has.
SETTLED_AT_UNION: Final = SENT_STATES | {_S.UNCONFIRMED}
# The Union may already have the file: `uploaded` may have been renamed just before a crash.
POSSIBLY_OUT_STATES: Final = SETTLED_AT_UNION | {_S.UPLOADED}
# The file is, was or may be at the Union, or is being transferred.
OUT_STATES: Final = POSSIBLY_OUT_STATES | {_S.SENDING, _S.REJECTED, _S.RECALLED}
# An entry in one of these is finished: a new one may be created for its partition and interface.
TERMINAL_OUTBOUND_STATES: Final = _GIVEN_UP | {_S.REJECTED, _S.RECALLED}
# The states of a file on its way from our disk to the Union, once it is signed and encrypted.
DELIVERY: Final = (_S.SENDING, _S.UPLOADED, _S.SENT)
# Made, and its transfer to the Union's server has not begun.
UNSENT_STATES: Final = frozenset({_S.WRITTEN, _S.APPROVED, _S.SEALED})
UNSEALED_STATES: Final = UNSENT_STATES - {_S.SEALED}

# The fetch of the file is not finished.
FETCHING_STATES: Final = frozenset({_S.DETECTED, _S.CLAIMED})
# The same bytes as those of an entry in one of these are a duplicate. Rejected content may come again.
DEDUPLICATED_STATES: Final = frozenset(
    {_S.RECEIVED, _S.VERIFIED, _S.APPLIED, _S.QUARANTINED, _S.RELEASED, _S.STALE, _S.KEPT, _S.CLOSED}
)
# Other bytes under the name of an entry in one of these must be looked at by a person.
UNIQUE_NAME_STATES: Final = frozenset({_S.VERIFIED, _S.APPLIED, _S.RELEASED, _S.STALE, _S.KEPT})
# The file is valid, or a person released it: it waits to be applied.
WAITING_STATES: Final = frozenset({_S.VERIFIED, _S.RELEASED})
# What a person may release or reject. A stale file is valid: a newer one was merely applied before it.
DECIDABLE_STATES: Final = frozenset({_S.QUARANTINED, _S.STALE})
