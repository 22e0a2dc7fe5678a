"""The tables of the daily sending: extracts, the day's register, changes, the withheld, and the Union's snapshot after it."""

from __future__ import annotations

from typing import Annotated

import polars as pl

from pipelines.tables.files import Manifest
from schemas.tables import Records, Table, item, personal, public


class ResidentExtract(Records):
    """The residents, without their 個人番号."""

    resident_number: pl.String = item(is_key=True)
    name: pl.String = item()
    name_kana: pl.String = item()
    born_on: pl.Date = item()
    born_on_uncertain: pl.String = item()
    sex: pl.String = item()
    relationship: pl.String = item()
    previous_municipality_code: pl.String = item()
    next_municipality_code: pl.String = item()


class InsuredExtract(Records):
    """The insured, and those who were."""

    resident_number: pl.String = item(is_key=True)
    household_number: pl.String = item()
    branch_number: pl.String = item()
    acquired_on: pl.Date = item()
    acquisition_reason: pl.String = item()
    lost_on: pl.Date = item()
    loss_reason: pl.String = item()
    applied_on: pl.Date = item()
    application_reason: pl.String = item()
    ended_on: pl.Date = item()
    end_reason: pl.String = item()
    notified_on: pl.Date = item()
    changed_on: pl.Date = item()


class HouseholdExtract(Records):
    """The 国保世帯."""

    household_number: pl.String = item(is_key=True)
    certificate_symbol: pl.String = item()
    certificate_number: pl.String = item()
    head_resident_number: pl.String = item()
    nominal_head: pl.String = item()
    household_applied_on: pl.Date = item()
    household_ended_on: pl.Date = item()
    postal_code: pl.String = item()
    address: pl.String = item()
    address_detail: pl.String = item()
    changed_on: pl.Date = item()


class MyNumbers(Table):
    """The 個人番号, kept apart from everything else under a key of their own."""

    resident_number: pl.String = item(is_key=True)
    my_number: pl.String = item()


class PersonsAtFault(Table):
    """Whose record breaks which rule.

    A fault without a person is the household's; one with both keys is the person's, and the household is the one that the
    record names, which need not be the one that the person is assigned to.
    """

    resident_number: pl.String = item()
    household_number: pl.String = item()
    code: pl.String = public("誤りのKRコード")
    item_name: pl.String = personal("誤りのある項目")
    value: pl.String = personal("伏せ字にした値")
    expected: pl.String = personal("求める値")


# What `PersonsAtFault` takes from a finding.
TOLD = ("code", "item_name", "value", "expected")


class People(Records):
    """Everyone whom the register must know on a day: insured, formerly insured, 擬制世帯主; with the items that are carried."""

    resident_number: pl.String = item()
    household_number: pl.String = item()
    branch_number: pl.String = item()
    acquired_on: pl.Date = item()
    acquisition_reason: pl.String = item()
    lost_on: pl.Date = item()
    loss_reason: pl.String = item()
    applied_on: pl.Date = item()
    application_reason: pl.String = item()
    ended_on: pl.Date = item()
    end_reason: pl.String = item()
    notified_on: pl.Date = item()
    changed_on: pl.Date = item()
    name: pl.String = item()
    name_kana: pl.String = item()
    born_on: pl.Date = item()
    born_on_uncertain: pl.String = item()
    sex: pl.String = item()
    relationship: pl.String = item()
    previous_municipality_code: pl.String = item()
    next_municipality_code: pl.String = item()
    head_kind: pl.String = item()


class Households(Records):
    """The 国保世帯 of a day, with the items that are carried."""

    household_number: pl.String = item(is_key=True)
    certificate_symbol: pl.String = item()
    certificate_number: pl.String = item()
    head_resident_number: pl.String = item()
    nominal_head: pl.String = item()
    household_applied_on: pl.Date = item()
    household_ended_on: pl.Date = item()
    postal_code: pl.String = item()
    address: pl.String = item()
    address_detail: pl.String = item()
    changed_on: pl.Date = item()


class SentPeople(People):
    """The people as the Union knows them once the day's files are in."""

    uncertain: pl.Boolean = public("連合会の知る内容が定かでない（次の送付で改めて通知する）")


class SentHouseholds(Households):
    """The households as the Union knows them once the day's files are in."""

    uncertain: pl.Boolean = public("連合会の知る内容が定かでない（次の送付で改めて通知する）")


class ChangedPeople(People):
    """Who is sent: who changed, and who is in the household of one who did."""

    change_kinds: Annotated[pl.List, pl.String] = public("異動の種類（同じ世帯の人は空）")
    update_kind: pl.String = item()


class ChangedHouseholds(Households):
    """The households that are sent."""

    update_kind: pl.String = item()


class WithheldPeople(ChangedPeople):
    """The 要修正 list: who waits or is at fault; a household that waits without any of its people has a row of its own."""

    faults: Annotated[pl.List, pl.String] = personal("誤りごとの、コード・項目・伏せ字にした値・求める値（タブ区切り）")
    reason: pl.String = personal("保留の理由")
    codes: Annotated[pl.List, pl.String] = personal("本人と世帯の誤りのKRコード")


class PairManifest(Manifest):
    """The row that names a file of the day's pair, what it must hold and what it belongs to. No row: no file is wanted."""

    basis_entry_ids: pl.String = public("基準を連合会に通知したファイルの台帳の番号")
    snapshot_sha256: pl.String = public("送付後に連合会が知る状態の指紋")


class DailyDispatch(Table):
    """The files of a day that were sent, as the ledger knows them."""

    entry: pl.Int64 = personal("台帳の番号")
    interface: pl.String = personal("インタフェース")
    file_name: pl.String = public("ファイル名")
    state: pl.String = personal("台帳の状態")
