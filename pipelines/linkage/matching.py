"""Matches the Union's decisions with what was reported to it: which records are applied, which are asked about. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from interfaces.contract import items_read
from interfaces.messages import message
from pipelines.tables.linkage import LinkageDiscrepancies, LinkageState

KEY = "resident_number"
IDS_READ = items_read("municipal_id_linkage")
DATES_READ = items_read("acquisition_loss_linkage")
VERIFICATION_READ = items_read("verification_list")
RECEPTIONS_READ = items_read("reception_result")
_PERIOD = ["applied_on", "ended_on"]
_QUALIFICATION = ["acquired_on", "lost_on"]
_MOVED_IN, _MOVED_OUT = "moved_in_prefecture", "moved_out_prefecture"


@dataclass(frozen=True)
class Match:
    """applied_records: to be applied. discrepancies: `LinkageDiscrepancies`; `set_aside` marks records that are rejected.

    Every record is either applied or rejected: applied_records.height + number of persons rejected = records received.
    """

    applied_records: pl.DataFrame
    discrepancies: pl.DataFrame


def _listed(
    interface: str, rows: pl.DataFrame, code: str, ours: pl.Expr, theirs: pl.Expr, *, set_aside: bool
) -> pl.DataFrame:
    text = message(code)
    return rows.select(
        pl.lit(interface).alias("interface"),
        pl.col(KEY),
        pl.lit(code).alias("code"),
        pl.lit(text.title).alias("title"),
        ours.cast(pl.String).fill_null("（なし）").alias("ours"),
        theirs.cast(pl.String).fill_null("（なし）").alias("theirs"),
        pl.lit(text.remedy).alias("question"),
        pl.lit(set_aside).alias("set_aside"),
    )


def _match(received: pl.DataFrame, lists: Iterable[pl.DataFrame]) -> Match:
    found = pl.concat([LinkageDiscrepancies.empty(), *lists]).sort(KEY, "code", maintain_order=True)
    rejected = found.filter("set_aside").select(KEY).unique()
    return Match(received.join(rejected, on=KEY, how="anti"), found)


_NONE = pl.lit(None, pl.String)


MUNICIPAL_ID, PREFECTURE_ID = "municipal_insured_id", "prefecture_insured_id"
_DAYS = (*_QUALIFICATION, *_PERIOD)
NOTHING_BEFORE = LinkageState.empty(KEY, *_DAYS)
NO_IDS = LinkageState.empty(KEY, MUNICIPAL_ID)


def match_dates(
    received: pl.DataFrame, reported: pl.DataFrame, before: pl.DataFrame = NOTHING_BEFORE, ids: pl.DataFrame = NO_IDS
) -> Match:
    """国保資格取得喪失年月日連携 against the people reported to the Union (`reported`: `SentPeople`).

    `before`: the newest record applied for each person until now. `ids`: the current 市町村被保険者ID of each.
    Rejected: an unknown 宛名番号, 取得日 after 適用開始日, 喪失日 before 適用終了日 (docs/sources.md 4 [inference], 評価書 2-⑥), a
    period that ends before it begins.
    Listed but applied: a period other than the one sent, a judgement other than 正常, a loss of someone who is insured, a
    new period that overlaps the one before or leaves a gap (`_overlapping`, `_with_gap`), a 取得日, 喪失日 or
    市町村被保険者ID other than the one sent or the current one (`_of_another_qualification`).
    """
    name = DATES_READ.interface
    # A blank 適用終了 means that the period continues; a layout without the item means nothing.
    states = {item: pl.lit(item in received.columns) for item in _PERIOD}
    received = DATES_READ.completed(received)
    matched = received.join(reported.select(KEY, *_PERIOD, "application_reason"), on=KEY, how="inner", suffix="_ours")
    unknown = received.join(reported, on=KEY, how="anti")
    late = matched.filter(pl.col("acquired_on") > pl.col("applied_on"))
    early = matched.filter(pl.col("lost_on") < pl.col("ended_on"))
    started = matched.filter(states["applied_on"] & pl.col("applied_on").ne_missing(pl.col("applied_on_ours")))
    ended = matched.filter(states["ended_on"] & pl.col("ended_on").ne_missing(pl.col("ended_on_ours")))
    unsound = matched.filter(pl.col("judgement") != "sound")
    lost = matched.filter(pl.col("lost_on").is_not_null() & pl.col("ended_on_ours").is_null())
    turned = matched.filter(pl.col("ended_on") < pl.col("applied_on"))
    new_periods = matched.join(before.select(KEY, *_PERIOD), on=KEY, how="inner", suffix="_before").filter(
        pl.col("applied_on") > pl.col("applied_on_before")
    )
    current = received.join(ids.select(KEY, MUNICIPAL_ID), on=KEY, how="inner", suffix="_current")
    renamed = current.filter(pl.col(MUNICIPAL_ID) != pl.col(f"{MUNICIPAL_ID}_current"))
    period_before = pl.format("{}〜{}", "applied_on_before", pl.col("ended_on_before").cast(pl.String).fill_null(""))
    return _match(
        received,
        [
            _listed(name, unknown, "KR-8101", _NONE, pl.col("applied_on"), set_aside=True),
            _listed(name, late, "KR-8102", pl.col("applied_on_ours"), pl.col("acquired_on"), set_aside=True),
            _listed(name, early, "KR-8103", pl.col("ended_on_ours"), pl.col("lost_on"), set_aside=True),
            _listed(name, started, "KR-8104", pl.col("applied_on_ours"), pl.col("applied_on"), set_aside=False),
            _listed(name, ended, "KR-8105", pl.col("ended_on_ours"), pl.col("ended_on"), set_aside=False),
            _listed(name, unsound, "KR-8106", pl.col("applied_on_ours"), pl.col("judgement"), set_aside=False),
            _listed(name, lost, "KR-8107", pl.col("ended_on_ours"), pl.col("lost_on"), set_aside=False),
            _listed(name, turned, "KR-8121", pl.col("applied_on"), pl.col("ended_on"), set_aside=True),
            _listed(name, _overlapping(new_periods), "KR-8122", period_before, pl.col("applied_on"), set_aside=False),
            _listed(name, _with_gap(new_periods), "KR-8123", period_before, pl.col("applied_on"), set_aside=False),
            _listed(name, renamed, "KR-8135", pl.col(f"{MUNICIPAL_ID}_current"), pl.col(MUNICIPAL_ID), set_aside=False),
            *_of_another_qualification(
                name, received.join(pl.concat([late, early]), on=KEY, how="anti"), reported, before
            ),
        ],
    )


def _of_another_qualification(
    name: str, received: pl.DataFrame, reported: pl.DataFrame, before: pl.DataFrame
) -> list[pl.DataFrame]:
    """A 取得日 or 喪失日 other than the one sent (KR-8131, KR-8133), or other than the one applied before if that is not the
    one sent either (KR-8132, KR-8134).

    Not asked about: what only the prefecture knows. That is an earlier 取得日 of persons who moved in from within the
    prefecture, as soon as it is known, and the 喪失 of persons who left for another municipality of it (評価書 別添1;
    docs/sources.md 2.4). A 資格 that begins when the one before was lost, or its period was over, is a new one.
    """
    reported = _with_days(reported, "application_reason", "end_reason")
    rows = received.join(reported.select(KEY, *_DAYS, "application_reason", "end_reason"), on=KEY, suffix="_ours").join(
        _with_days(before).select(KEY, *_DAYS), on=KEY, how="left", suffix="_before"
    )
    acquired, acquired_ours, acquired_before = (pl.col(f"acquired_on{end}") for end in ("", "_ours", "_before"))
    lost, lost_ours, lost_before = (pl.col(f"lost_on{end}") for end in ("", "_ours", "_before"))
    over = pl.coalesce(lost_before, "ended_on_before")
    same = acquired_before.is_not_null() & (over.is_null() | (acquired < over))
    moved_in = pl.col("application_reason").eq_missing(_MOVED_IN) & (acquired < acquired_ours)
    moved_out = pl.col("end_reason").eq_missing(_MOVED_OUT) & lost_ours.is_null()
    linked = moved_in & (acquired_before == acquired_ours)
    another_start = acquired_ours.is_not_null() & (acquired != acquired_ours) & ~moved_in
    # A person still insured here whose 資格 was lost there is KR-8107.
    another_end = lost_ours.is_not_null() & lost.ne_missing(lost_ours)
    ended_there_only = lost_ours.is_null() & lost.is_not_null() & pl.col("ended_on_ours").is_not_null() & ~moved_out
    is_open_here = lost_ours.is_null() & pl.col("ended_on_ours").is_null()
    agreed = (lost == lost_ours).fill_null(False) | (lost.is_null() & is_open_here)
    questions = {
        "KR-8131": (another_start, acquired_ours, acquired),
        "KR-8132": (
            same & (acquired != acquired_before) & acquired.ne_missing(acquired_ours) & ~another_start & ~linked,
            acquired_before,
            acquired,
        ),
        "KR-8133": (another_end | ended_there_only, lost_ours, lost),
        "KR-8134": (
            same
            & lost_before.is_not_null()
            & lost.ne_missing(lost_before)
            & ~agreed
            & ~another_end
            & ~ended_there_only,
            lost_before,
            lost,
        ),
    }
    return [
        _listed(name, rows.filter(asked.fill_null(False)), code, ours, theirs, set_aside=False)
        for code, (asked, ours, theirs) in questions.items()
    ]


def _with_days(frame: pl.DataFrame, *words: str) -> pl.DataFrame:
    """The frame with the dates of a qualification and a period, and `words`; null where it has none."""
    kinds = {**dict.fromkeys(_DAYS, pl.Date), **dict.fromkeys(words, pl.String)}
    return frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in kinds.items() if name not in frame)


def _overlapping(new_periods: pl.DataFrame) -> pl.DataFrame:
    """New periods that begin before the earlier one ended (重複), or although it never ended (終了未着)."""
    return new_periods.filter(pl.col("ended_on_before").is_null() | (pl.col("ended_on_before") > pl.col("applied_on")))


def _with_gap(new_periods: pl.DataFrame) -> pl.DataFrame:
    """New periods after a gap during which the 資格 continued (空白): no municipality applied it, as far as we know.

    A person who came back from within the prefecture was insured in another municipality meanwhile.
    """
    gap = pl.col("ended_on_before") < pl.col("applied_on")
    was_qualified = pl.col("acquired_on") <= pl.col("ended_on_before")
    return new_periods.filter(gap & was_qualified & pl.col("application_reason").ne_missing(_MOVED_IN))


def match_ids(received: pl.DataFrame, reported: pl.DataFrame, owners: pl.DataFrame) -> Match:
    """市町村被保険者ID連携 against the people reported to the Union and every id applied so far.

    `owners`: resident_number, both ids and 付番年月日 of all applied records, oldest first; the newest of a person is the
    current one.
    Rejected: an unknown 宛名番号, an id that belongs to another person, an id given to two persons in one file.
    Listed but applied: an id that formerly belonged to another person, a person whose id changed or has another
    付番年月日, and a 都道府県被保険者ID that changed or that two 宛名番号 have (one person may have two: docs/sources.md 4 does not
    say). (docs/sources.md 4: identifiers that change owner.)
    """
    name = IDS_READ.interface
    received = IDS_READ.completed(received)
    if "assigned_on" not in owners:
        owners = owners.with_columns(pl.lit(None, pl.Date).alias("assigned_on"))
    unknown = received.join(reported, on=KEY, how="anti")
    matched = received.join(reported.select(KEY), on=KEY, how="semi")
    current = owners.unique(KEY, keep="last", maintain_order=True)
    of_another_person = _of_somebody_else(matched, current, MUNICIPAL_ID)
    formerly_anothers = _of_somebody_else(matched, owners, MUNICIPAL_ID).join(of_another_person, on=KEY, how="anti")
    given_twice = matched.filter(pl.col(MUNICIPAL_ID).is_duplicated())
    identified = [KEY, MUNICIPAL_ID, PREFECTURE_ID]
    now = pl.concat([current.select(identified), matched.select(identified)])
    shared = _of_somebody_else(matched, now, PREFECTURE_ID)
    before = matched.join(current, on=KEY, how="inner", suffix="_current")
    ours, theirs = pl.col(f"{MUNICIPAL_ID}_current"), pl.col(MUNICIPAL_ID)
    ours_in_prefecture, theirs_in_prefecture = pl.col(f"{PREFECTURE_ID}_current"), pl.col(PREFECTURE_ID)
    renamed = before.filter(theirs != ours)
    assigned_ours, assigned_theirs = pl.col("assigned_on_current"), pl.col("assigned_on")
    reassigned = before.filter((theirs == ours) & (assigned_theirs != assigned_ours))
    renamed_in_prefecture = before.filter(theirs_in_prefecture != ours_in_prefecture)
    return _match(
        received,
        [
            _listed(name, unknown, "KR-8101", _NONE, theirs, set_aside=True),
            _listed(name, of_another_person, "KR-8108", pl.col("owner"), theirs, set_aside=True),
            _listed(name, given_twice, "KR-8109", _NONE, theirs, set_aside=True),
            _listed(name, renamed, "KR-8110", ours, theirs, set_aside=False),
            _listed(name, reassigned, "KR-8136", assigned_ours, assigned_theirs, set_aside=False),
            _listed(name, formerly_anothers, "KR-8118", pl.col("owner"), theirs, set_aside=False),
            _listed(name, shared, "KR-8119", pl.col("owner"), theirs_in_prefecture, set_aside=False),
            _listed(name, renamed_in_prefecture, "KR-8120", ours_in_prefecture, theirs_in_prefecture, set_aside=False),
        ],
    )


def _of_somebody_else(rows: pl.DataFrame, owners: pl.DataFrame, identifier: str) -> pl.DataFrame:
    """The rows whose `identifier` another person has among `owners`, with that person as `owner`."""
    others = owners.select(pl.col(KEY).alias("owner"), identifier).drop_nulls()
    found = rows.join(others, on=identifier, how="inner").filter(pl.col("owner") != pl.col(KEY))
    return found.unique(KEY, keep="last", maintain_order=True)


def match_verification(received: pl.DataFrame, reported: pl.DataFrame) -> Match:
    """確認リスト: every record is a question to answer; an unknown 宛名番号 is rejected (評価書 システム11; docs/sources.md 1.1)."""
    name = VERIFICATION_READ.interface
    received = VERIFICATION_READ.completed(received)
    unknown = received.join(reported, on=KEY, how="anti")
    matched = received.join(reported.select(KEY), on=KEY, how="semi")
    codes = {"different_my_number": "KR-8111", "blank_my_number": "KR-8112"}
    return _match(
        received,
        [
            _listed(name, unknown, "KR-8101", _NONE, pl.col("verification_kind"), set_aside=True),
            *(
                _listed(
                    name,
                    matched.filter(pl.col("verification_kind") == kind),
                    code,
                    _NONE,
                    pl.col("my_number_registered_on"),
                    set_aside=False,
                )
                for kind, code in codes.items()
            ),
        ],
    )


# An `uploaded` file may have been renamed just before a crash, an `unconfirmed` one may have been imported at once: the
# Union's answer proves it.
UNANSWERED_STATES = ("sent", "uploaded", "unconfirmed")


def match_receptions(received: pl.DataFrame, ours: pl.DataFrame) -> Match:
    """受付結果 against our files (`ours`: file_name, state, records; one row per name). `ours` of a question is the name.

    Rejected: an answer about a file that is not ours, one that contradicts the ledger (never sent, recalled, answered
    otherwise), an acceptance of another number of records than were sent.
    Listed but applied: a rejection, with its reason; also of a recalled file, which is what was agreed on.
    """
    received = RECEPTIONS_READ.completed(received)
    matched = received.join(ours, left_on="sent_file_name", right_on="file_name", how="left")
    count, accepted = pl.col("sent_record_count").cast(pl.Int64), pl.col("reception_kind") == "accepted"
    waits = pl.col("state").is_in(UNANSWERED_STATES) | ((pl.col("state") == "recalled") & ~accepted)
    code = (
        pl.when(pl.col("state").is_null())
        .then(pl.lit("KR-8115"))
        .when(~waits & (pl.col("state") != pl.col("reception_kind")))
        .then(pl.lit("KR-8117"))
        .when(accepted & (count != pl.col("records")))
        .then(pl.lit("KR-8116"))
        .when(~accepted)
        .then(pl.lit("KR-8114"))
    )
    theirs = (
        pl.when(~accepted)
        .then(pl.format("却下: {}", pl.col("reception_reason").fill_null("理由なし")))
        .when(count.is_null())
        .then(pl.lit("受付"))
        .when(pl.col("records").is_null())
        .then(pl.format("受付 {}件", count))
        .otherwise(pl.format("受付 {}件（送付 {}件）", count, "records"))
    )
    asked = matched.with_columns(code.alias("code"), theirs.alias("theirs")).filter(pl.col("code").is_not_null())
    found = [
        {
            "interface": "reception_result",
            KEY: "",
            "code": row["code"],
            "title": message(row["code"]).title,
            "ours": row["sent_file_name"],
            "theirs": row["theirs"],
            "question": message(row["code"]).remedy,
            "set_aside": row["code"] != "KR-8114",
        }
        for row in asked.iter_rows(named=True)
    ]
    listed = LinkageDiscrepancies.of(found)
    rejected = listed.filter("set_aside").select(sent_file_name="ours")
    return Match(received.join(rejected, on="sent_file_name", how="anti"), listed)


def unanswered(reported: pl.DataFrame, ids: pl.DataFrame, on: dt.date) -> pl.DataFrame:
    """Persons reported to the Union whose period has begun by `on`, and who have no 市町村被保険者ID yet.

    `LinkageDiscrepancies`, code KR-8113. Nobody needs an id before their period begins.
    """
    waiting = reported.filter(pl.col("applied_on") <= on).join(ids, on=KEY, how="anti")
    return _listed("municipal_id_linkage", waiting, "KR-8113", pl.col("applied_on"), _NONE, set_aside=False)
