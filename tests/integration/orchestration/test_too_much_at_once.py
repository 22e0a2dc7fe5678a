"""Bulk changes stop and ask, by kinds and over several days; another person under a known number waits."""

from __future__ import annotations

import datetime as dt

from tests.support.village import Village, home, person

DAY, NEXT, THIRD, FOURTH = (dt.date(2026, 4, n) for n in (1, 2, 3, 6))


def leave(village: Village, families: range) -> None:
    """The households and their people are no longer in the extracts."""
    for number in families:
        del village.households[home(500 + number)], village.insured[person(5000 + number)]


def test_households_that_go_in_parts_over_several_days_are_one_amount(village: Village) -> None:
    village.fill(50)
    assert village.send(DAY).exit_code == 0
    leave(village, range(10))
    assert village.send(NEXT).exit_code == 0
    assert len(village.sent(NEXT)) == 10, "ten are not too many"
    leave(village, range(10, 11))
    result = village.send(THIRD)
    assert result.exit_code == 2
    assert (
        "KR-7222 2026-04-03 の送付で7日間に変わるものが多すぎます: 取消 11人（50人のうち。上限 2%、10人までは可）、"
        "世帯の取消 11世帯（50世帯のうち。上限 2%、10世帯までは可）" in result.output
    )
    assert '--confirm "理由"' in result.output
    assert village.pair(THIRD)[1] not in village.names()
    assert not list((village.folder / "data" / "outbox").glob(f"{THIRD}/*"))
    confirmed = village.send(THIRD, "--confirm", "団地の取壊し")
    assert confirmed.exit_code == 0, confirmed.output
    assert len(village.sent(THIRD)) == 1
    (event,) = [e for e in village.environment.ledger.events() if e.action == "amount_confirmed"]
    assert event.detail["reason"] == "団地の取壊し"
    assert event.detail["counts"] == {"withdrawn": 11, "households_gone": 11}
    again = village.send(THIRD)
    assert (again.exit_code, "前に送ったとおり" in again.output) == (0, True), "what was confirmed is not asked again"
    leave(village, range(11, 12))
    assert village.send(FOURTH).exit_code == 0, "counted from the confirmed day on"


def test_an_extract_that_was_cut_off_is_asked_about_in_a_hamlet_too(village: Village) -> None:
    village.fill(12)
    assert village.send(DAY).exit_code == 0
    leave(village, range(4))
    result = village.send(NEXT)
    assert result.exit_code == 2
    assert "KR-7201 insured_extract の行数が 12 から 8 に減りました（-33.3%。上限 -30%）" in result.stderr
    assert village.pair(NEXT)[1] not in village.names()
    confirmed = village.send(NEXT, "--confirm", "四世帯の転出")
    assert confirmed.exit_code == 0, "four 取消 are not too many"
    assert {row["update_kind"] for row in village.sent(NEXT).values()} == {"withdrawn"}


def test_exchanged_numbers_stop_though_no_row_is_missing(village: Village) -> None:
    village.fill(50)
    assert village.send(DAY).exit_code == 0
    village.residents, village.insured, village.households = {}, {}, {}
    for number in range(50):
        village.add(500 + number, 7000 + number)
    result = village.send(NEXT)
    assert result.exit_code == 2
    assert "取消 50人" in result.output
    assert "新規 50人" in result.output
    assert len(village.names()) == 2
    assert village.send(NEXT, "--confirm-loss", "宛名番号の付け替え").exit_code == 0


def test_another_person_under_a_known_number_waits_until_he_is_confirmed(village: Village) -> None:
    village.fill()
    village.add(1, 11, 12)
    assert village.send(DAY).exit_code == 0
    village.residents[person(5000)] |= {"name": "合成　改", "name_kana": "ゴウセイ　カイ"}
    village.residents[person(12)] |= {"name": "合成　別", "name_kana": "ゴウセイ　ベツ", "sex": "male"}
    assert village.send(NEXT).exit_code == 0
    assert set(village.sent(NEXT)) == {person(5000)}, "a person who only changed their name is sent"
    assert village.withheld(NEXT) == {person(12): ["KR-7221"]} | {person(11): []}
    shown = village.cli("withheld", "--date", NEXT.isoformat())
    assert "本人の誤り KR-7221 別人の疑い" in shown.output
    options = ("--date", NEXT.isoformat(), "--reason", "性別の取扱いの変更")
    assert "KR-7223" in village.cli("confirm-person", "--person", person(11), *options).output
    confirmed = village.cli("confirm-person", "--person", person(12), *options)
    assert confirmed.exit_code == 0, confirmed.output
    assert person(12) not in confirmed.output
    assert village.send(THIRD).exit_code == 0
    assert village.sent(THIRD)[person(12)]["name"] == "合成　別"
    assert village.withheld(THIRD) == {}
    kept = "".join(str(event.detail) for event in village.environment.ledger.events())
    assert person(12) not in kept


def test_a_wrong_person_who_is_corrected_is_never_told(village: Village) -> None:
    village.fill()
    assert village.send(DAY).exit_code == 0
    right = dict(village.residents[person(5000)])
    village.residents[person(5000)] |= {"born_on": dt.date(1950, 5, 5), "my_number": "123456789018", "name": "合成　別"}
    assert village.send(NEXT).exit_code == 0
    assert village.sent(NEXT) == {}
    village.residents[person(5000)] = right
    assert village.send(THIRD).exit_code == 0
    assert (village.sent(THIRD), village.withheld(THIRD)) == ({}, {})


def test_everybody_another_person_is_a_stop_and_not_a_long_list(village: Village) -> None:
    village.fill(12)
    assert village.send(DAY).exit_code == 0
    names = [village.residents[person(5000 + n)] for n in range(11)]
    for number, row in enumerate(names):
        row |= {"name": f"合成　{'一二三四五六七八九十百'[number]}", "sex": "female"}
    result = village.send(NEXT)
    assert result.exit_code == 2
    assert "氏名・生年月日・性別・個人番号の変更 11人" in result.output
    assert village.send(NEXT, "--confirm", "抽出の誤りの一括訂正").exit_code == 0
    assert len(village.sent(NEXT)) == 11
