"""The tables of the monthly continuity: the Union's records, the candidates as a clerk reads them, decisions, what agrees."""

from __future__ import annotations

import polars as pl

from schemas.tables import Records, Table, item, personal, public


class MonthlyRecords(Records):
    """The records of an interface that a month applies, each with the file that it came in."""

    entry: pl.Int32 = personal("レコードが載っていたファイルの台帳の番号")


class Candidates(MonthlyRecords):
    """継続候補世帯リスト: a row per candidate, side and stay of a person."""

    candidate_number: pl.String = item()
    household_side: pl.String = item()
    household_municipality_code: pl.String = item()
    household_number: pl.String = item()
    head_kind: pl.String = item()
    joined_on: pl.Date = item()
    join_reason: pl.String = item()
    prefecture_insured_id: pl.String = item()
    left_on: pl.Date = item()
    leave_reason: pl.String = item()
    next_municipality_code: pl.String = item()


class Results(MonthlyRecords):
    """継続世帯確定結果."""

    candidate_number: pl.String = item()
    old_municipality_code: pl.String = item()
    old_household_number: pl.String = item()
    new_municipality_code: pl.String = item()
    new_household_number: pl.String = item()
    continuity_outcome: pl.String = item()
    moved_on: pl.Date = item()
    confirmed_on: pl.Date = item()
    high_cost_count: pl.String = item()


class Handovers(MonthlyRecords):
    """高額該当引継情報連携: the months that came with a household."""

    candidate_number: pl.String = item()
    old_municipality_code: pl.String = item()
    old_household_number: pl.String = item()
    new_household_number: pl.String = item()
    treatment_month: pl.String = item()
    update_kind: pl.String = item()
    high_cost_count: pl.String = item()


class Cases(Table):
    """One row per candidate: both households in words beside the proposal, and a fingerprint of it all."""

    candidate_number: pl.String = item()
    proposal: pl.String = personal("判定案")
    rule: pl.String = personal("判定案の規則")
    title: pl.String = public("規則の題")
    reason: pl.String = personal("判定案の理由")
    facts_in_words: pl.String = personal("見てとれる事実")
    moved_on: pl.Date = item()
    old_municipality_code: pl.String = item()
    old_household_number: pl.String = item()
    new_household_number: pl.String = item()
    old_people: pl.String = personal("転出元の世帯の人")
    new_people: pl.String = personal("転入先の世帯の人")
    facts_sha256: pl.String = personal("判定の元になった事実の指紋")


class Decisions(Table):
    """Who decided and who approved what, and on which facts: rows of the ledger's database."""

    sequence: pl.Int64 = personal("判定の通番")
    month: pl.Date = personal("処理対象年月")
    candidate_number: pl.String = item()
    old_municipality_code: pl.String = item()
    old_household_number: pl.String = item()
    new_household_number: pl.String = item()
    moved_on: pl.Date = item()
    proposal: pl.String = personal("判定案")
    rule: pl.String = personal("判定案の規則")
    decision: pl.String = personal("判定")
    remark: pl.String = personal("備考")
    decided_by: pl.String = personal("判定者")
    approved_by: pl.String = personal("承認者")
    facts_sha256: pl.String = personal("判定の元になった事実の指紋")
    worksheet_sha256: pl.String = personal("判定表のSHA-256")
    at: pl.String = personal("取り込んだ日時")
    operator: pl.String = personal("取り込んだ操作者")


class KnownIds(Table):
    """Whom we know by 都道府県被保険者ID."""

    prefecture_insured_id: pl.String = item()
    resident_number: pl.String = item()
    name: pl.String = item()


class AskedArrivals(Table):
    """In-prefecture arrivals of which an earlier month asked why no candidate names them."""

    household_number: pl.String = item()
    applied_on: pl.Date = item()


class HouseholdsGone(Table):
    """Our households that continue elsewhere."""

    household_number: pl.String = item()
    until: pl.Date = personal("転出した月（その月の診療まで数える）")


class ContinuityDiscrepancies(Table):
    """What does not agree between instruction, result and handover, and what the Union must be asked."""

    interface: pl.String = personal("インタフェース")
    candidate_number: pl.String = item()
    old_municipality_code: pl.String = item()
    old_household_number: pl.String = item()
    new_household_number: pl.String = item()
    code: pl.String = public("KRコード")
    title: pl.String = public("KRコードの題")
    ours: pl.String = personal("当市町村の値")
    theirs: pl.String = personal("連合会の値")
    question: pl.String = personal("照会事項")
