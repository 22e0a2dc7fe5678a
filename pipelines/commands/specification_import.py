"""The command `renkei spec import`: a printed item table becomes a catalogue folder and a list of what to decide."""

from __future__ import annotations

import csv
import datetime as dt
import re
import sys
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path

import click

from interfaces.catalogue import Catalogue, read_rows
from interfaces.completed_rows import DictionaryEntry
from interfaces.drafting import (
    DECISION_COLUMNS,
    ENTRY_COLUMNS,
    ITEM_COLUMNS,
    draft,
    is_proposed,
)
from interfaces.messages import RenkeiError
from interfaces.printed_table import read_printed
from pipelines.commands.common import CATALOGUE, DATE, FAULTS, SHOWN, catalogue_root, with_error_messages, writing

DECISIONS = "確認事項.csv"


@click.command(
    "import", help="印刷された項目表（.xlsx・.csv）から仕様の下書きと確認事項を作る（0 確認事項なし、1 あり）"
)
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--interface", required=True, help="インタフェースの id（英小文字・数字・_）")
@click.option("--from", "start", type=DATE, required=True, help="効力開始日")
@CATALOGUE
@click.option("--to", type=click.Path(path_type=Path), help="下書きを書くフォルダ（既定: --catalogue のフォルダ）")
@click.option("--answers", type=click.Path(path_type=Path), help="回答を書いた確認事項.csv")
@click.option("--sheet", help="項目表のあるシート（複数あるとき）")
@click.option("--source", help="出典（既定: ファイルの名前）")
@with_error_messages
def spec_import(
    table: Path,
    interface: str,
    start: dt.datetime,
    catalogue: Path | None,
    to: Path | None,
    answers: Path | None,
    sheet: str | None,
    source: str | None,
) -> None:
    """Write file.toml, the item table, new rows of items.csv and 確認事項.csv; exit 1 while something is to be decided."""
    if not re.fullmatch("[a-z][a-z0-9_]*", interface):
        raise click.UsageError("--interface は英小文字で始め、英小文字・数字・_ だけで書いてください")
    if (target := to or catalogue) is None:
        raise click.UsageError("--catalogue か --to で、書くフォルダを示してください")
    folder = target / interface / start.date().isoformat()
    given = answers and {(row["項番"], row["列"]): row["回答"] for row in read_rows(answers, DECISION_COLUMNS)}
    if given is None and folder.exists():
        raise RenkeiError("KR-7131", folder=f"{interface}/{folder.name}", decisions=DECISIONS)
    known = Catalogue(catalogue_root(catalogue))
    made = draft(read_printed(table, sheet), known, interface, start.date(), source or table.name, given or {})
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "file.toml").write_text(made.layout, encoding="utf-8", newline="\n")
        _write(folder / "data.csv", ITEM_COLUMNS, ([item[column] for column in ITEM_COLUMNS] for item in made.items))
        _write(folder / DECISIONS, DECISION_COLUMNS, (decision.cells for decision in made.decisions))
        _add_entries(target / "items.csv", ENTRY_COLUMNS, made.entries, interface)
    for note in made.notes:
        click.echo(f"注意: {note}")
    for decision in made.open[:SHOWN]:
        asked = f"{decision.number or '全体'} {decision.name} {decision.column}"
        click.echo(f"要確認 {asked}: {decision.why}（案: {decision.proposal or 'なし'}）")
    if len(made.open) > SHOWN:
        click.echo(f"… 他{len(made.open) - SHOWN}件（{DECISIONS}）")
    click.echo(f"{folder}: 項目{len(made.items)}件、新しい項目{len(made.entries)}件、要確認{len(made.open)}件")
    if made.open:
        click.echo(
            f"{DECISIONS} の回答の列に、案のとおりなら「はい」、違えば値を書き、--answers でもう一度実行してください"
        )
    sys.exit(FAULTS if made.open else 0)


def _write(path: Path, heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table of the catalogue: UTF-8 with BOM and CRLF, as Excel saves it."""
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([heading, *rows])
    path.write_text(text.getvalue(), encoding="utf-8-sig", newline="")


def _add_entries(path: Path, heading: Sequence[str], new: Sequence[DictionaryEntry], interface: str) -> None:
    """The new rows below those of the table; rows proposed by an earlier import of the interface are replaced."""
    rows = read_rows(path, heading) if path.exists() else []
    columns = list(rows[0]) if rows else list(heading)
    ours = {entry.id for entry in new}
    kept = [row for row in rows if row["id"] not in ours and not is_proposed(row["id"], interface)]
    added = [dict(zip(heading, (e.id, e.name, e.sensitivity, e.description), strict=True)) for e in new]
    _write(path, columns, ([row.get(column, "") for column in columns] for row in [*kept, *added]))
