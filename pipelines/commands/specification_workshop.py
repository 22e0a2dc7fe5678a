"""Commands for whoever brings a layout in: what differs (`spec diff`), which one fits (`spec try`), and the book (`spec book`)."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import click

from interfaces.catalogue import load_catalogue
from interfaces.messages import RenkeiError
from pipelines.commands.common import (
    AS_JSON,
    CATALOGUE,
    DATE,
    FAULTS,
    catalogue_root,
    say_json,
    with_error_messages,
    writing,
)
from pipelines.configuration.calendar import tokyo_now


@click.command("diff", help="二つの版（または二つの仕様データ）の違いと、その意味")
@click.argument("interface")
@click.option("--between", type=(DATE, DATE), help="比べる二つの日（既定: --with のときは今日）", metavar="日 日")
@click.option("--with", "other", type=click.Path(path_type=Path), help="比べる相手の仕様データのフォルダ（新しい方）")
@CATALOGUE
@AS_JSON
@click.option("--html", type=click.Path(path_type=Path), help="印刷できるページを書く場所")
@with_error_messages
def diff_command(
    interface: str,
    between: tuple[dt.datetime, dt.datetime] | None,
    other: Path | None,
    catalogue: Path | None,
    as_json: bool,
    html: Path | None,
) -> None:
    """Compare the versions in force on two days, of one catalogue or of two; exit 1 when they differ."""
    from interfaces.comparison import Side, compare
    from pipelines.specifications import comparison_report

    if between is None and other is None:
        raise click.UsageError("--between（二つの日）か --with（もう一つの仕様データ）を書いてください")
    first, last = (day.date() for day in between) if between else (tokyo_now().date(),) * 2
    old = load_catalogue(catalogue_root(catalogue)).in_force(interface, first)
    new = load_catalogue(other or catalogue_root(catalogue)).in_force(interface, last)
    found = compare(Side(old, first), Side(new, last))
    if html is not None:
        with writing(html):
            html.write_text(comparison_report.page(found), encoding="utf-8")
    if as_json:
        say_json(comparison_report.as_json(found))
    else:
        for line in comparison_report.lines(found):
            click.echo(line)
    sys.exit(0 if found.is_same else FAULTS)


@click.command("try", help="どのインタフェースのどの版に合うファイルかを調べる（0 合う版がある、1 ない）")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@CATALOGUE
@AS_JSON
@with_error_messages
def try_command(files: tuple[Path, ...], catalogue: Path | None, as_json: bool) -> None:
    """The best candidates of each file, and what speaks for and against each."""
    from pipelines.specifications.trying import JUDGED, candidates, what_was_looked_at

    loaded, answers, all_fit = load_catalogue(catalogue_root(catalogue)), [], True
    for file in files:
        if not file.is_file():
            raise RenkeiError("KR-7104", path=str(file), reason="ありません")
        found = candidates(loaded, file, tokyo_now().date())
        all_fit = all_fit and found[0].is_valid
        answers.append({"file": file.name, "candidates": [candidate.as_json() for candidate in found[:JUDGED]]})
        if as_json:
            continue
        click.echo(file.name)
        for candidate in found[:1] if found[0].is_valid else found[:JUDGED]:
            for line in candidate.lines():
                click.echo(f"  {line}")
        click.echo(f"  {what_was_looked_at(len(found) - JUDGED)}")
    if as_json:
        say_json(answers)
    sys.exit(0 if all_fit else FAULTS)


@click.command("book", help="仕様データ全体の仕様書（印刷と検索のできるページ）を作る")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), help="書くフォルダ（既定: 設定の data_folder の 仕様書）"
)
@CATALOGUE
@with_error_messages
def book_command(folder: Path | None, catalogue: Path | None) -> None:
    """The whole catalogue as a small web site."""
    from pipelines.configuration.settings import Settings
    from pipelines.specifications.book import BOOK, write_book

    target = folder or Settings.load().data_folder / BOOK
    with writing(target):
        first = write_book(load_catalogue(catalogue_root(catalogue)), target)
    click.echo(f"仕様書 {first}")
