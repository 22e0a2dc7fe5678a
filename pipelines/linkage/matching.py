"""Matching what the Union decided with what it was sent: which records are taken in, which are asked about. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from interfaces.messages import message
from interfaces.required_items import ItemsRead
from pipelines.tables.linkage import LinkageDiscrepancies, LinkageState

KEY = "resident_number"
IDS_READ = ItemsRead(
    "municipal_id_linkage", ("resident_number", "municipal_insured_id"), ("prefecture_insured_id", "assigned_on")
)
DATES_READ = ItemsRead(
    "acquisition_loss_linkage",
    ("resident_number", "acquired_on", "lost_on"),
    ("municipal_insured_id", "acquisition_reason", "loss_reason", "applied_on", "ended_on", "judgement"),
)
VERIFICATION_READ = ItemsRead(
    "verification_list", ("resident_number", "verification_kind"), ("my_number_registered_on", "detected_on")
)
RECEPTIONS_READ = ItemsRead(
    "reception_result", ("sent_file_name", "reception_kind"), ("sent_record_count", "reception_reason")
)
_PERIOD = ["applied_on", "ended_on"]
_QUALIFICATION = ["acquired_on", "lost_on"]
_MOVED_IN, _MOVED_OUT = "moved_in_prefecture", "moved_out_prefecture"


@dataclass(frozen=True)
class Match:
    """taken: the records to apply. discrepancies: `LinkageDiscrepancies`; `set_aside` marks records that are not applied.

    Every record is either taken or set aside: taken.height + number of persons set aside = records received.
    """

    taken: pl.DataFrame
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


def _settle(received: pl.DataFrame, lists: Iterable[pl.DataFrame]) -> Match:
    found = pl.concat([LinkageDiscrepancies.empty(), *lists]).sort(KEY, "code", maintain_order=True)
    aside = found.filter("set_aside").select(KEY).unique()
    return Match(received.join(aside, on=KEY, how="anti"), found)


_NONE = pl.lit(None, pl.String)


MUNICIPAL_ID, PREFECTURE_ID = "municipal_insured_id", "prefecture_insured_id"
_DAYS = (*_QUALIFICATION, *_PERIOD)
NOTHING_BEFORE = LinkageState.empty().select(KEY, *_DAYS)
NO_IDS = LinkageState.empty().select(KEY, MUNICIPAL_ID)


def match_dates(
    received: pl.DataFrame, told: pl.DataFrame, before: pl.DataFrame = NOTHING_BEFORE, ids: pl.DataFrame = NO_IDS
) -> Match:
    """国保資格取得喪失年月日連携 against the people whom the Union was told of (`told`: `SentPeople`).

    `before`: the newest record taken of each person until now. `ids`: the 市町村被保険者ID held of each.
    Set aside: an unknown 宛名番号, 取得日 after 適用開始日, 喪失日 before 適用終了日 (domain.md 4 [inference], seed 2-⑥), a
    period that ends before it begins.
    Listed but taken: a period other than the one sent, a judgement other than 正常, a loss of someone who is insured, a
    new period that overlaps the one before or leaves a hole (`_overlapping`, `_with_hole`), a 取得日, 喪失日 or
    市町村被保険者ID other than the one sent or held (`_of_another_qualification`).
    """
    name = DATES_READ.interface
    # A blank 適用終了 says that the period goes on; a layout without the item says nothing.
    tells = {item: pl.lit(item in received.columns) for item in _PERIOD}
    received = DATES_READ.completed(received)
    known = received.join(told.select(KEY, *_PERIOD, "application_reason"), on=KEY, how="inner", suffix="_ours")
    unknown = received.join(told, on=KEY, how="anti")
    late = known.filter(pl.col("acquired_on") > pl.col("applied_on"))
    early = known.filter(pl.col("lost_on") < pl.col("ended_on"))
    started = known.filter(tells["applied_on"] & pl.col("applied_on").ne_missing(pl.col("applied_on_ours")))
    ended = known.filter(tells["ended_on"] & pl.col("ended_on").ne_missing(pl.col("ended_on_ours")))
    unsound = known.filter(pl.col("judgement") != "sound")
    lost = known.filter(pl.col("lost_on").is_not_null() & pl.col("ended_on_ours").is_null())
    turned = known.filter(pl.col("ended_on") < pl.col("applied_on"))
    anew = known.join(before.select(KEY, *_PERIOD), on=KEY, how="inner", suffix="_before").filter(
        pl.col("applied_on") > pl.col("applied_on_before")
    )
    held = received.join(ids.select(KEY, MUNICIPAL_ID), on=KEY, how="inner", suffix="_held")
    renamed = held.filter(pl.col(MUNICIPAL_ID) != pl.col(f"{MUNICIPAL_ID}_held"))
    period_before = pl.format("{}〜{}", "applied_on_before", pl.col("ended_on_before").cast(pl.String).fill_null(""))
    return _settle(
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
            _listed(name, _overlapping(anew), "KR-8122", period_before, pl.col("applied_on"), set_aside=False),
            _listed(name, _with_hole(anew), "KR-8123", period_before, pl.col("applied_on"), set_aside=False),
            _listed(name, renamed, "KR-8135", pl.col(f"{MUNICIPAL_ID}_held"), pl.col(MUNICIPAL_ID), set_aside=False),
            *_of_another_qualification(name, received.join(pl.concat([late, early]), on=KEY, how="anti"), told, before),
        ],
    )


def _of_another_qualification(
    name: str, received: pl.DataFrame, told: pl.DataFrame, before: pl.DataFrame
) -> list[pl.DataFrame]:
    """A 取得日 or 喪失日 other than the one sent (KR-8131, KR-8133), or than the one that was taken before and is not the
    one sent either (KR-8132, KR-8134).

    Not asked about: what the prefecture alone knows. That is an earlier 取得日 of who came from inside the prefecture,
    as soon as it is known, and the 喪失 of who left for another municipality of it (seed 別添1; domain.md 2.4). A 資格
    that begins when the one before was lost, or its period over, is a new one.
    """
    told = _with_days(told, "application_reason", "end_reason")
    rows = (
        received.join(told.select(KEY, *_DAYS, "application_reason", "end_reason"), on=KEY, suffix="_ours")
        .join(_with_days(before).select(KEY, *_DAYS), on=KEY, how="left", suffix="_before")
    )  # fmt: skip
    acquired, acquired_ours, acquired_before = (pl.col(f"acquired_on{end}") for end in ("", "_ours", "_before"))
    lost, lost_ours, lost_before = (pl.col(f"lost_on{end}") for end in ("", "_ours", "_before"))
    over = pl.coalesce(lost_before, "ended_on_before")
    same = acquired_before.is_not_null() & (over.is_null() | (acquired < over))
    moved_in = pl.col("application_reason").eq_missing(_MOVED_IN) & (acquired < acquired_ours)
    moved_out = pl.col("end_reason").eq_missing(_MOVED_OUT) & lost_ours.is_null()
    linked = moved_in & (acquired_before == acquired_ours)
    another_start = acquired_ours.is_not_null() & (acquired != acquired_ours) & ~moved_in
    # Who is still insured here and lost there is KR-8107.
    another_end = lost_ours.is_not_null() & lost.ne_missing(lost_ours)
    ended_there_only = lost_ours.is_null() & lost.is_not_null() & pl.col("ended_on_ours").is_not_null() & ~moved_out
    is_open_here = lost_ours.is_null() & pl.col("ended_on_ours").is_null()
    agreed = (lost == lost_ours).fill_null(False) | (lost.is_null() & is_open_here)
    questions = {
        "KR-8131": (another_start, acquired_ours, acquired),
        "KR-8132": (
            same & (acquired != acquired_before) & acquired.ne_missing(acquired_ours) & ~another_start & ~linked,
            acquired_before, acquired,
        ),
        "KR-8133": (another_end | ended_there_only, lost_ours, lost),
        "KR-8134": (
            same & lost_before.is_not_null() & lost.ne_missing(lost_before) & ~agreed & ~another_end & ~ended_there_only,
            lost_before, lost,
        ),
    }  # fmt: skip
    return [
        _listed(name, rows.filter(asked.fill_null(False)), code, ours, theirs, set_aside=False)
        for code, (asked, ours, theirs) in questions.items()
    ]


def _with_days(frame: pl.DataFrame, *words: str) -> pl.DataFrame:
    """The frame with the dates of a qualification and a period, and `words`; null where it has none."""
    kinds = {**dict.fromkeys(_DAYS, pl.Date), **dict.fromkeys(words, pl.String)}
    return frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in kinds.items() if name not in frame)


def _overlapping(anew: pl.DataFrame) -> pl.DataFrame:
    """New periods that begin before the earlier one ended (重複), or though it never did (終了未着)."""
    return anew.filter(pl.col("ended_on_before").is_null() | (pl.col("ended_on_before") > pl.col("applied_on")))


def _with_hole(anew: pl.DataFrame) -> pl.DataFrame:
    """New periods after a hole through which the 資格 goes on (空白): nobody applied it then, as far as we know.

    Who came back from inside the prefecture was another municipality's meanwhile.
    """
    hole = pl.col("ended_on_before") < pl.col("applied_on")
    held_through = pl.col("acquired_on") <= pl.col("ended_on_before")
    return anew.filter(hole & held_through & pl.col("application_reason").ne_missing(_MOVED_IN))


def match_ids(received: pl.DataFrame, told: pl.DataFrame, owners: pl.DataFrame) -> Match:
    """市町村被保険者ID連携 against the people told of and every id taken so far.

    `owners`: resident_number, both ids and 付番年月日 of all records taken, oldest first; the newest of a person is what
    he holds.
    Set aside: an unknown 宛名番号, an id that belongs to somebody else, an id given to two persons in one file.
    Listed but taken: an id that was somebody else's once, a person whose id changed or has another 付番年月日, and a
    都道府県被保険者ID that changed or that two 宛名番号 have (one person may have two: domain.md 4 does not say).
    (domain.md 4: identifiers that change owner.)
    """
    name = IDS_READ.interface
    received = IDS_READ.completed(received)
    if "assigned_on" not in owners:
        owners = owners.with_columns(pl.lit(None, pl.Date).alias("assigned_on"))
    unknown = received.join(told, on=KEY, how="anti")
    known = received.join(told.select(KEY), on=KEY, how="semi")
    held = owners.unique(KEY, keep="last", maintain_order=True)
    taken_from = _of_somebody_else(known, held, MUNICIPAL_ID)
    once = _of_somebody_else(known, owners, MUNICIPAL_ID).join(taken_from, on=KEY, how="anti")
    twice = known.filter(pl.col(MUNICIPAL_ID).is_duplicated())
    identified = [KEY, MUNICIPAL_ID, PREFECTURE_ID]
    now = pl.concat([held.select(identified), known.select(identified)])
    shared = _of_somebody_else(known, now, PREFECTURE_ID)
    before = known.join(held, on=KEY, how="inner", suffix="_held")
    ours, theirs = pl.col(f"{MUNICIPAL_ID}_held"), pl.col(MUNICIPAL_ID)
    ours_in_prefecture, theirs_in_prefecture = pl.col(f"{PREFECTURE_ID}_held"), pl.col(PREFECTURE_ID)
    renamed = before.filter(theirs != ours)
    assigned_ours, assigned_theirs = pl.col("assigned_on_held"), pl.col("assigned_on")
    assigned_anew = before.filter((theirs == ours) & (assigned_theirs != assigned_ours))
    renamed_in_prefecture = before.filter(theirs_in_prefecture != ours_in_prefecture)
    return _settle(
        received,
        [
            _listed(name, unknown, "KR-8101", _NONE, theirs, set_aside=True),
            _listed(name, taken_from, "KR-8108", pl.col("owner"), theirs, set_aside=True),
            _listed(name, twice, "KR-8109", _NONE, theirs, set_aside=True),
            _listed(name, renamed, "KR-8110", ours, theirs, set_aside=False),
            _listed(name, assigned_anew, "KR-8136", assigned_ours, assigned_theirs, set_aside=False),
            _listed(name, once, "KR-8118", pl.col("owner"), theirs, set_aside=False),
            _listed(name, shared, "KR-8119", pl.col("owner"), theirs_in_prefecture, set_aside=False),
            _listed(name, renamed_in_prefecture, "KR-8120", ours_in_prefecture, theirs_in_prefecture, set_aside=False),
        ],
    )


def _of_somebody_else(rows: pl.DataFrame, owners: pl.DataFrame, identifier: str) -> pl.DataFrame:
    """The rows whose `identifier` another person has among `owners`, with that person as `owner`."""
    others = owners.select(pl.col(KEY).alias("owner"), identifier).drop_nulls()
    found = rows.join(others, on=identifier, how="inner").filter(pl.col("owner") != pl.col(KEY))
    return found.unique(KEY, keep="last", maintain_order=True)


def match_verification(received: pl.DataFrame, told: pl.DataFrame) -> Match:
    """確認リスト: every record is a question to answer; an unknown 宛名番号 is set aside (seed システム11; domain.md 1.1)."""
    name = VERIFICATION_READ.interface
    received = VERIFICATION_READ.completed(received)
    unknown = received.join(told, on=KEY, how="anti")
    known = received.join(told.select(KEY), on=KEY, how="semi")
    codes = {"different_my_number": "KR-8111", "blank_my_number": "KR-8112"}
    return _settle(
        received,
        [
            _listed(name, unknown, "KR-8101", _NONE, pl.col("verification_kind"), set_aside=True),
            *(
                _listed(
                    name,
                    known.filter(pl.col("verification_kind") == kind),
                    code,
                    _NONE,
                    pl.col("my_number_registered_on"),
                    set_aside=False,
                )
                for kind, code in codes.items()
            ),
        ],
    )


# A file that is `uploaded` may have been renamed just before a crash, an `unconfirmed` one may have been taken at once: the
# Union's answer is the proof.
UNANSWERED_STATES = ("sent", "uploaded", "unconfirmed")


def match_receptions(received: pl.DataFrame, ours: pl.DataFrame) -> Match:
    """受付結果 against our files (`ours`: file_name, state, records; one row per name). `ours` of a question is the name.

    Set aside: an answer about a file that is not ours, one that contradicts what the ledger says of the file (never sent,
    taken back, answered otherwise), an acceptance of another number of records than were sent.
    Listed but taken: a rejection, with its reason; also of a file that was taken back, which is what was agreed on.
    """
    received = RECEPTIONS_READ.completed(received)
    known = received.join(ours, left_on="sent_file_name", right_on="file_name", how="left")
    count, accepted = pl.col("sent_record_count").cast(pl.Int64), pl.col("reception_kind") == "accepted"
    waits = pl.col("state").is_in(UNANSWERED_STATES) | ((pl.col("state") == "recalled") & ~accepted)
    code = (
        pl.when(pl.col("state").is_null()).then(pl.lit("KR-8115"))
        .when(~waits & (pl.col("state") != pl.col("reception_kind"))).then(pl.lit("KR-8117"))
        .when(accepted & (count != pl.col("records"))).then(pl.lit("KR-8116"))
        .when(~accepted).then(pl.lit("KR-8114"))
    )  # fmt: skip
    theirs = (
        pl.when(~accepted)
        .then(pl.format("却下: {}", pl.col("reception_reason").fill_null("理由なし")))
        .when(count.is_null())
        .then(pl.lit("受付"))
        .when(pl.col("records").is_null())
        .then(pl.format("受付 {}件", count))
        .otherwise(pl.format("受付 {}件（送付 {}件）", count, "records"))
    )
    asked = known.with_columns(code.alias("code"), theirs.alias("theirs")).filter(pl.col("code").is_not_null())
    found = [
        {
            "interface": "reception_result", KEY: "", "code": row["code"], "title": message(row["code"]).title,
            "ours": row["sent_file_name"], "theirs": row["theirs"], "question": message(row["code"]).remedy,
            "set_aside": row["code"] != "KR-8114",
        }
        for row in asked.iter_rows(named=True)
    ]  # fmt: skip
    listed = LinkageDiscrepancies.of(found)
    aside = listed.filter("set_aside").select(sent_file_name="ours")
    return Match(received.join(aside, on="sent_file_name", how="anti"), listed)


def unanswered(told: pl.DataFrame, ids: pl.DataFrame, on: dt.date) -> pl.DataFrame:
    """Persons told to the Union whose period has begun by `on`, and for whom no 市町村被保険者ID is held.

    `LinkageDiscrepancies`, code KR-8113. Nobody need have an id before his period begins.
    """
    waiting = told.filter(pl.col("applied_on") <= on).join(ids, on=KEY, how="anti")
    return _listed("municipal_id_linkage", waiting, "KR-8113", pl.col("applied_on"), _NONE, set_aside=False)
