"""The whole month with every Union interface switched off: typed in from the screen, printed for typing into it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from interfaces.messages import RenkeiError
from pipelines.continuity import monthly
from pipelines.continuity.receiving import stored
from pipelines.deployment import Environment
from pipelines.high_cost import monthly as high_cost
from pipelines.operations.inbound_interfaces import INBOUND
from pipelines.transfer.manual_entry import import_form
from tests.support.applying import apply_monthly
from tests.support.candidates import listed
from tests.support.deployment import MONTH, benefit, confirm, fill, household, opened, refused, type_in, write_extract
from tests.support.monthly_answers import MOVE, NEW, OLD, handovers, results


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    made = opened(tmp_path)
    type_in(made, "continuity_candidates", listed("whole_household_moves", "member_moves_out_alone"), tmp_path)
    apply_monthly(made)
    path = monthly.make_worksheet(made, MONTH).path
    monthly.import_worksheet(made, fill(path))
    return made


def test_a_count_is_carried_without_a_single_file_of_the_union(environment: Environment, tmp_path: Path) -> None:
    file, made = monthly.build_instruction(environment, MONTH)
    assert file is None
    outcome = monthly.send_instruction(environment, MONTH, file)
    assert outcome.kind == "nothing_to_send"
    assert [e.action for e in environment.ledger.events()][-1] == "instruction_for_typing"
    page = monthly.list_path(environment, "継続世帯確定指示_入力用", MONTH).read_text(encoding="utf-8")
    assert all(number in page for number in made["new_household_number"])
    type_in(environment, "continuity_result", results("continued", "not_continued"), tmp_path)
    type_in(environment, "high_cost_handover", handovers("2026-02", "2026-04"), tmp_path)
    assert [one.entry.interface for one in apply_monthly(environment)] == ["continuity_result", "high_cost_handover"]
    assert confirm(environment, MONTH).discrepancies.is_empty()
    write_extract(environment, "benefit_extract", [benefit(NEW, "2026-04"), benefit(NEW, "2026-03")])
    write_extract(environment, "household_extract", [household(NEW)])
    extract = high_cost.read_extract(environment, "benefit_extract", MONTH)
    may = dt.date(2026, 5, 1)
    counts, months = high_cost.count_month(environment, may, extract.records)
    (found,) = counts.to_dicts()
    assert (found["household_number"], found["count"], found["is_multiple"]) == (NEW, 3, True)
    environment.store.write("high_cost_months", may.isoformat(), months)
    assert high_cost.explain(environment, may, NEW) == [
        (dt.date(2026, 2, 1), [f"999989/{OLD}"]),
        (dt.date(2026, 3, 1), ["own"]),
        (dt.date(2026, 4, 1), ["own", f"999989/{OLD}"]),
    ]
    shown = monthly.list_path(environment, "継続世帯確定リスト", MONTH).read_text(encoding="utf-8")
    assert "令和8年2月、令和8年4月" in shown


def test_no_result_is_missed_before_its_day(environment: Environment) -> None:
    days = [dt.date(2026, 5, 14), dt.date(2026, 5, 15)]  # the Union's calendar says 05-15
    assert [monthly.status(environment, MONTH, day).discrepancies for day in days] == [0, 2]


def test_what_is_typed_twice_is_taken_once(environment: Environment, tmp_path: Path) -> None:
    type_in(environment, "continuity_result", results("continued", "not_continued"), tmp_path)
    apply_monthly(environment)
    (again,) = import_form(
        environment, INBOUND, "continuity_result", MONTH, tmp_path / "continuity_result.xlsx", "入力太郎"
    )
    assert again.state == "duplicate"
    assert apply_monthly(environment) == []
    assert stored(environment, "continuity_result", MONTH).height == 2


def test_a_corrected_form_takes_the_place_of_the_one_before(environment: Environment, tmp_path: Path) -> None:
    type_in(environment, "continuity_result", results("continued", "not_continued"), tmp_path)
    apply_monthly(environment)
    type_in(environment, "continuity_result", results("not_continued", "not_continued"), tmp_path)
    apply_monthly(environment)
    records = stored(environment, "continuity_result", MONTH)
    assert records["continuity_outcome"].to_list() == ["not_continued", "not_continued"]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("継続確定区分", "たぶん継続", "6行目 継続確定区分: 一覧から選んでください"),
        ("確定年月日", "5月12日", "6行目 確定年月日: 日付は"),
        ("転出元市区町村コード", "999998", "検査数字が合いません"),
        ("高額該当回数", "13", "0から12まで"),
        ("候補番号", None, "必須項目「候補番号」が未入力です"),
    ],
)
def test_what_is_wrong_in_a_form_is_said_and_nothing_is_taken(
    environment: Environment, tmp_path: Path, column: str, value: str | None, said: str
) -> None:
    type_in(environment, "continuity_result", results("continued", "not_continued"), tmp_path)
    apply_monthly(environment)
    path = tmp_path / "continuity_result.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book["入力"]
    place = [cell.value for cell in sheet[3]].index(column) + 1
    sheet.cell(6, place).value = value
    book.save(path)
    with pytest.raises(RenkeiError, match="KR-7602") as refused:
        import_form(environment, INBOUND, "continuity_result", MONTH, path, "入力太郎")
    assert said in str(refused.value)
    assert len(environment.ledger.entries(interfaces={"continuity_result"})) == 1


def test_an_interface_that_comes_as_a_file_is_not_typed(tmp_path: Path) -> None:
    environment = opened(tmp_path, switched_off=())
    form = tmp_path / "form.xlsx"
    empty = refused(environment, "continuity", "form", "continuity_result", "--month", "2026-04", "--to", form)
    entered = refused(environment, "continuity", "typed", "continuity_result", form, "--month", "2026-04")
    assert (empty[:7], entered[:7], form.exists()) == ("KR-7603", "KR-7603", False)


def test_a_late_correction_of_a_later_month_takes_the_month_away(environment: Environment, tmp_path: Path) -> None:
    type_in(environment, "continuity_result", results("continued", "not_continued"), tmp_path)
    type_in(environment, "high_cost_handover", handovers("2026-02", "2026-04"), tmp_path)
    apply_monthly(environment)
    confirm(environment, MONTH)
    may = dt.date(2026, 5, 1)
    late = handovers("2026-02").with_columns(
        pl.lit("withdrawn").alias("update_kind"), pl.lit("01").alias("high_cost_count")
    )
    type_in(environment, "high_cost_handover", late, tmp_path, may)
    apply_monthly(environment)
    assert confirm(environment, may).discrepancies.is_empty()
    write_extract(environment, "benefit_extract", [benefit(NEW, "2026-05")], may)
    write_extract(environment, "household_extract", [household(NEW)], may)
    extract = high_cost.read_extract(environment, "benefit_extract", may)
    before, _ = high_cost.count_month(environment, MONTH, extract.records)
    after, months = high_cost.count_month(environment, may, extract.records)
    assert before["count"].to_list() == [1]
    assert after["count"].to_list() == [1]
    assert months["treatment_month"].to_list() == [dt.date(2026, 4, 1), may]


def test_a_candidate_without_a_mover_has_the_day_on_which_somebody_arrived(tmp_path: Path) -> None:
    environment = opened(tmp_path)
    type_in(environment, "continuity_candidates", listed("nobody_on_both_sides"), tmp_path)
    apply_monthly(environment)
    (found,) = monthly.build_cases(environment, MONTH).to_dicts()
    assert (found["rule"], found["moved_on"]) == ("U2", MOVE)


def test_a_candidate_whose_old_household_is_unknown_is_decided_by_a_person(tmp_path: Path) -> None:
    environment = opened(tmp_path, switched_off=("continuity_candidates",))
    only_after = listed("whole_household_moves").filter(pl.col("household_side") == "after")
    type_in(environment, "continuity_candidates", only_after, tmp_path)
    apply_monthly(environment)
    worksheet = monthly.make_worksheet(environment, MONTH)
    path, found = worksheet.path, worksheet.cases
    assert found.select("proposal", "rule", "old_household_number").rows() == [("unclear", "U2", None)]
    assert "連合会に候補の根拠を照会します" in found["reason"][0]
    assert monthly.import_worksheet(environment, fill(path)).problems == []
    file, _ = monthly.build_instruction(environment, MONTH)
    assert file is not None
    assert b",000001,,," in environment.file_store.read(file.path)


def test_a_month_without_candidates_has_an_empty_worksheet_and_nothing_to_instruct(tmp_path: Path) -> None:
    environment = opened(tmp_path)
    type_in(environment, "continuity_candidates", listed(), tmp_path)
    apply_monthly(environment)
    worksheet = monthly.make_worksheet(environment, MONTH)
    path, found = worksheet.path, worksheet.cases
    assert found.is_empty()
    assert monthly.import_worksheet(environment, path).problems == []
    assert monthly.build_instruction(environment, MONTH)[0] is None
    state = monthly.status(environment, MONTH, dt.date(2026, 5, 8))
    assert (state.undecided, state.waiting_days) == (0, None)
    assert "確定指示: 未送付（期限 2026-05-13）" in state.lines()
    assert "この月の継続候補世帯はありません" in monthly.list_path(environment, "継続候補世帯リスト", MONTH).read_text(
        encoding="utf-8"
    )
