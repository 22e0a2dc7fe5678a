"""What a person must confirm before a day is sent: other persons under known 宛名番号, and too many changes at once.

Confirmations are in the ledger, so that the day can be built again without confirming twice.
"""

from __future__ import annotations

import datetime as dt
import hashlib

import polars as pl

from interfaces.messages import RenkeiError
from pipelines.deployment import Environment
from pipelines.eligibility.limits import SEVERAL, State, amounts, identity_changes
from pipelines.eligibility.snapshot import PERSON_KEY
from pipelines.exchange.ledger.chain import canonical_json
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.transfer.baseline import SENT_FILES

OTHER_PERSON = "KR-7221"
IDENTITY, SAME_PERSON = "氏名・生年月日・性別・個人番号のうち二つ以上", "前回の送付と同じ人であること"
_WHO = [PERSON_KEY, "name", "name_kana", "born_on", "sex"]


def other_persons(
    environment: Environment,
    day: dt.date,
    before: State,
    people: pl.DataFrame,
    my_numbers: pl.DataFrame,
    confirm: str | None,
) -> pl.Series:
    """resident_numbers that seem to belong to other persons than those that the Union knows, without the confirmed ones.

    With a reason to `confirm`, all of them are confirmed in the ledger.
    """
    changed = identity_changes(before, people, my_numbers).filter(pl.col("items") >= SEVERAL)
    confirmed = {str(e.detail.get("person")) for e in environment.ledger.events_of(LedgerEvent.PERSON_CONFIRMED)}
    found = people.join(changed, on=PERSON_KEY, how="semi")
    unconfirmed = found.filter(
        pl.Series([fingerprint not in confirmed for fingerprint in _fingerprints(found)], dtype=pl.Boolean)
    )
    if confirm is None:
        return unconfirmed[PERSON_KEY]
    for fingerprint in _fingerprints(unconfirmed):
        _record_confirmation(environment.recorder(), day, fingerprint, confirm)
    return unconfirmed[PERSON_KEY].clear()


def confirm_person(environment: Environment, day: dt.date, person: str, by: str, reason: str) -> None:
    """Confirm that a person on the day's 要修正 list is who the records say. KR-7223 when the list does not ask about them."""
    withheld = environment.store.read("withheld_list", day.isoformat()).filter(pl.col(PERSON_KEY) == person)
    if not withheld["codes"].explode().is_in([OTHER_PERSON]).any():
        raise RenkeiError("KR-7223", day=day)
    found = environment.store.read("people", day.isoformat()).filter(pl.col(PERSON_KEY) == person)
    for fingerprint in _fingerprints(found):
        _record_confirmation(environment.ledger.recorder(by), day, fingerprint, reason)


def _record_confirmation(recorder: Recorder, day: dt.date, fingerprint: str, reason: str) -> None:
    recorder.append_event(LedgerEvent.PERSON_CONFIRMED, partition=day, person=fingerprint, reason=reason)


def _fingerprints(people: pl.DataFrame) -> list[str]:
    """Hashes that identify persons: the ledger contains no personal data, and other facts give another hash."""
    return [
        hashlib.sha256(canonical_json(row).encode()).hexdigest() for row in people.select(_WHO).iter_rows(named=True)
    ]


def reference(environment: Environment, day: dt.date) -> dt.date | None:
    """The sent day that amounts are compared with: the oldest within the settings' days, but none before a confirmed one.

    So changes that come in parts over several days are counted together. None before the first sending.
    """
    ledger = environment.ledger
    oldest = day - dt.timedelta(days=environment.settings.limits.days)
    confirmed = [
        dt.date.fromisoformat(e.detail["partition"])
        for e in ledger.events_of(LedgerEvent.AMOUNT_CONFIRMED)
        if e.detail["partition"] < day.isoformat()
    ]
    since = max([oldest, *confirmed])
    found = ledger.effective_baseline(before=day, interfaces=SENT_FILES)
    while found is not None and found > since:
        earlier = ledger.effective_baseline(before=found, interfaces=SENT_FILES)
        if earlier is None or earlier < since:
            break
        found = earlier
    return found


def require_within_limits(
    environment: Environment, day: dt.date, before: State, after: State, asked: pl.Series, confirm: str | None
) -> None:
    """KR-7222 when more changes than the settings allow, unless it is, or was, confirmed for this day.

    before: what the Union knew on the reference day; a first sending needs no confirmation. asked: see `other_persons`.
    """
    if before.people.is_empty():
        return
    settings = environment.settings.limits
    shares = {kind: getattr(settings, kind) for kind in ("withdrawn", "added", "identity", "households_gone")}
    found = amounts(before, after, asked, shares, settings.floor)
    too_much = [amount for amount in found if amount.is_too_much]
    if not too_much or _is_confirmed(environment, day, {a.kind: a.count for a in too_much}):
        return
    if confirm is None:
        raise RenkeiError("KR-7222", day=day, days=settings.days, amounts="、".join(str(a) for a in too_much))
    counts = {a.kind: a.count for a in too_much}
    environment.recorder().append_event(LedgerEvent.AMOUNT_CONFIRMED, partition=day, reason=confirm, counts=counts)


def _is_confirmed(environment: Environment, day: dt.date, counts: dict[str, int]) -> bool:
    """Whether at least as much was confirmed for the day; a larger amount, as of another extract, needs a new confirmation."""
    return any(
        all(count <= e.detail["counts"].get(kind, 0) for kind, count in counts.items())
        for e in environment.ledger.events_of(LedgerEvent.AMOUNT_CONFIRMED)
        if e.detail["partition"] == day.isoformat()
    )
