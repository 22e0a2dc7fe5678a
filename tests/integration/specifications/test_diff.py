"""`renkei spec diff`: what differs between two versions, what it means, and the page for the vendor."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from interfaces.catalogue import DEFAULT_ROOT
from pipelines.cli import main
from tests.support import versions

SINCE = dt.date(2026, 7, 1)
FILE = "eligibility_individual"


def renkei(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """From July: one item more, one less, one longer and 任意, two merely elsewhere."""
    root = versions.copied(tmp_path / "catalogue")
    versions.new_version(root, FILE, SINCE)

    def changed(rows: versions.Rows) -> versions.Rows:
        added = dict.fromkeys(rows[0], "") | {
            "項目名": "<資格>確認書区分",
            "id": "certificate_kind",
            "属性": "英数",
            "バイト数": "2",
            "必須": "任意",
            "秘匿区分": "公開",
            "出典": "試験",
        }
        left = [row for row in rows if row["id"] != "notified_on"]
        return [*(row | ({"バイト数": "120", "必須": "任意"} if row["id"] == "name" else {}) for row in left), added]

    versions.edit(root, FILE, changed, SINCE)
    return root


def between(root: Path, *options: object) -> Result:
    return renkei("spec", "diff", FILE, "--between", "2026-06-30", "2026-07-01", "--catalogue", root, *options)


def test_items_that_came_went_changed_and_moved(root: Path) -> None:
    result = between(root, "--json")
    assert result.exit_code == 1
    found = json.loads(result.output)
    ways = {(item["how"], *(item["new"] or item["old"])) for item in found["items"]}
    assert ways == {
        ("added", "certificate_kind"),
        ("removed", "notified_on"),
        ("changed", "name"),
        ("moved", "changed_on"),
        ("moved", "processed_on"),
        ("moved", "update_kind"),
    }
    (name,) = (item["cells"] for item in found["items"] if item["new"] == ["name"])
    assert name == [
        {"label": "バイト数", "old": "100", "new": "120"},
        {"label": "必須", "old": "必須", "new": "任意"},
    ]


def test_what_it_means_for_what_is_sent(root: Path) -> None:
    said = between(root).output
    assert "届出年月日（notified_on） は 2026-07-01 から送付しません" in said
    assert "<資格>確認書区分（certificate_kind） が 2026-07-01 の送付から加わります" in said
    assert "項目が増えたことだけでは送付せず、次に異動のあった人から値が載ります" in said


def test_the_page_escapes_and_says_the_same(root: Path, tmp_path: Path) -> None:
    page = tmp_path / "違い.html"
    between(root, "--html", page)
    text = page.read_text(encoding="utf-8")
    assert '<html lang="ja">' in text
    assert "&lt;資格&gt;確認書区分" in text
    assert "<資格>" not in text
    assert "2026-06-30まで" in text


def test_two_catalogues_and_codes(tmp_path: Path) -> None:
    other = shutil.copytree(DEFAULT_ROOT, tmp_path / "new")
    table = other / "codes" / "end_reason.csv"
    rows = versions.read(table)
    versions.write(table, [*rows[1:], rows[0] | {"コード": "99", "名称": "試験の事由", "意味": "of_a_test"}])
    result = renkei("spec", "diff", FILE, "--with", other)
    assert result.exit_code == 1
    assert f"コード表 end_reason の {rows[0]['コード']}（{rows[0]['名称']}）は誤りになります" in result.output
    assert "コード表 end_reason の 99（試験の事由）が使えるようになります" in result.output


def test_the_same_and_what_cannot_be_compared(root: Path) -> None:
    same = renkei("spec", "diff", FILE, "--between", "2026-04-01", "2026-04-02")
    assert (same.exit_code, same.output.splitlines()[-1]) == (0, "違いはありません")
    early = renkei("spec", "diff", FILE, "--between", "2017-04-01", "2026-04-02")
    assert (early.exit_code, early.output[:7]) == (2, "KR-7103")
    assert "--between" in renkei("spec", "diff", FILE).output
