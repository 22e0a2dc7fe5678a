"""Digits as people write them, in the extracts of a day that is really sent: separators in them do not withhold a household."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from tests.support.village import HOUSEHOLD, INDIVIDUAL, Village, cells, home, person

DAY = dt.date(2026, 4, 1)
WRITTEN = {
    "hyphen": "999-8888",
    "long vowel": "999ー8888",
    "half-width long vowel": "999ｰ8888",
    "en dash": "999–8888",
    "minus": "999−8888",
    "horizontal bar": "999―8888",
    "full-width hyphen": "９９９－８８８８",
    "postal mark": "〒999-8888",
    "postal mark and wide": "〒　９９９‐８８８８",
    "postal mark alone": "〒9998888",
    "space": "999 8888",
    "wide space": "999　8888",
    "no-break space": "999\u00a08888",
    "middle dot": "999・8888",
    "nothing that is seen": "999\u200b-8888",
    "spaces around": " 999 - 8888 ",
    "plain": "9998888",
}
ODD = {
    "999~8888": "KR-2003 使用できない文字（郵便番号 U+007E）",
    "99-98888": "KR-2003 使用できない文字（郵便番号 U+002D）",
    "⁻999-8888": "KR-1021 登録できない文字（郵便番号 U+207B）",
    "①99-8888": "KR-2003 使用できない文字（郵便番号 U+2460）",
}


def run(village: Village) -> str:
    result = village.cli("run", "daily", "--date", DAY.isoformat(), "--only", "out")
    assert result.exit_code == 0, result.output
    return result.output


def withheld(village: Village) -> dict[str, str]:
    """The codes of 要修正一覧 by 国保世帯番号."""
    rows = json.loads(village.cli("withheld", "--date", DAY.isoformat(), "--json").stdout)
    return {row["household_number"]: row["codes"] for row in rows}


def test_a_postal_code_is_sent_as_seven_digits_however_they_are_separated(village: Village) -> None:
    for number in range(len(WRITTEN)):
        village.add(number, 100 + number)
    village.extract(DAY)
    written = {home(number): text for number, text in enumerate(WRITTEN.values())}
    cells(village, "household", "郵便番号", "国保世帯番号", written)
    assert "保留 0人" in run(village)
    sent = {name: village.sent(DAY, HOUSEHOLD)[home(number)]["postal_code"] for number, name in enumerate(WRITTEN)}
    assert sent == dict.fromkeys(WRITTEN, "9998888")


def test_an_invalid_postal_code_is_withheld_and_listed_with_the_character_that_does_not_fit(village: Village) -> None:
    for number in range(len(ODD)):
        village.add(number, 100 + number)
    village.add(50, 150)
    village.extract(DAY)
    cells(village, "household", "郵便番号", "国保世帯番号", {home(n): text for n, text in enumerate(ODD)})
    run(village)
    assert withheld(village) == {home(number): said for number, said in enumerate(ODD.values())}
    assert set(village.sent(DAY, HOUSEHOLD)) == {home(50)}
    shown = village.cli("withheld", "--date", DAY.isoformat()).stdout
    assert "（郵便番号 U+007E）" in shown
    assert not any(text in shown for text in ODD)


def test_an_individual_number_in_groups_is_sent_as_twelve_digits(village: Village) -> None:
    numbers = ("123456789018", "983205673214")
    for member in (1, 2):
        village.add(member, member)
    village.extract(DAY)
    groups = ("1234‐5678‐9018", "９８３２　０５６７　３２１４")
    cells(village, "resident", "個人番号", "宛名番号", dict(zip((person(1), person(2)), groups, strict=True)))
    output = run(village)
    sent = village.sent(DAY, INDIVIDUAL)
    assert tuple(sent[person(member)]["my_number"] for member in (1, 2)) == numbers
    assert not any(number in output for number in (*numbers, *groups))


@pytest.mark.parametrize("space", [" ", "\u00a0", "\u2003", "\u202f"])
def test_a_space_of_any_kind_in_a_name_is_a_space(village: Village, space: str) -> None:
    village.add(1, 1)
    village.extract(DAY)
    cells(village, "resident", "氏名", "宛名番号", {person(1): f"合成{space}甲"})
    cells(village, "resident", "氏名カナ", "宛名番号", {person(1): f"ごうせい{space}ｺｳ"})
    run(village)
    sent = village.sent(DAY, INDIVIDUAL)[person(1)]
    assert (sent["name"], sent["name_kana"]) == ("合成　甲", "ゴウセイ　コウ")


def test_a_character_that_does_not_fit_a_name_is_named_and_the_name_is_not(village: Village) -> None:
    village.add(1, 1)
    village.add(2, 2)
    village.extract(DAY)
    cells(village, "resident", "氏名カナ", "宛名番号", {person(1): "ゴウセイ–コウ", person(2): "ゴウセイ=コウ"})
    run(village)
    assert withheld(village) == {
        home(1): "KR-1021 登録できない文字（氏名カナ U+2013）",
        home(2): "KR-2003 使用できない文字（氏名カナ U+FF1D）",
    }
    extract = next(path for path in (village.folder / "extracts").iterdir() if path.name.startswith("resident"))
    judged = village.cli("validate", str(extract), "--on", DAY.isoformat())
    assert "ゴウセイ" not in judged.output
