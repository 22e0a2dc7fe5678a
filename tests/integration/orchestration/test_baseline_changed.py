"""KR-7214: what the files leave out would never be reported, because the Union heard something else meanwhile."""

from __future__ import annotations

import datetime as dt

from tests.support.village import Village, person

DAY, NEXT = dt.date(2026, 4, 1), dt.date(2026, 4, 2)


def test_the_stop_says_which_files_of_the_same_day_made_the_difference(village: Village) -> None:
    text = village.settings_path.read_text(encoding="utf-8")
    village.add(1, 11)
    assert village.send(DAY).exit_code == 0
    village.settings_path.write_text(text + "persons = 1\n", encoding="utf-8")
    village.residents[person(11)]["name"] = "合成　新"
    waiting = village.send(NEXT)
    assert "承認待ち" in waiting.output, waiting.output
    village.settings_path.write_text(text, encoding="utf-8")
    assert village.cli("ledger", "recall", "--date", DAY.isoformat(), "--reason", "訂正").exit_code == 0
    village.residents[person(11)]["name"] = "合成　訂"
    assert village.send(DAY).exit_code == 0
    result = village.cli("ledger", "mark-sent", "--date", NEXT.isoformat(), "--reason", "媒体で搬送")
    assert result.exit_code == 2
    assert "KR-7214 2026-04-02 のファイルは 2026-04-01（台帳 1 2）の送付を基準に作られましたが" in result.output
    assert "今の基準は2026-04-01（台帳 5 6）です" in result.output
