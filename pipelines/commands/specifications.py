"""Commands on the specifications and on single files (`renkei spec`, `validate`, `explain`): they need no deployment."""

from __future__ import annotations

import datetime as dt
import os
import sys
from pathlib import Path
from unicodedata import normalize

import click

from interfaces.catalogue import Catalogue, load_catalogue
from interfaces.described import CYCLES, DIRECTIONS, OCCURRENCES
from interfaces.lint import lint
from interfaces.messages import RenkeiError, explained, message, messages
from interfaces.naming import date_of, recognise
from pipelines.commands.common import (
    AS_JSON,
    CATALOGUE,
    DATE,
    FAULTS,
    SHOWN,
    catalogue_root,
    say_json,
    with_error_messages,
    writing,
)
from pipelines.commands.specification_import import spec_import
from pipelines.commands.specification_workshop import book_command, diff_command, try_command
from pipelines.configuration.calendar import tokyo_now


@click.group(help="インタフェースの仕様")
def spec() -> None:
    """Commands on specifications."""


spec.add_command(spec_import)
spec.add_command(diff_command)
spec.add_command(try_command)
spec.add_command(book_command)


@spec.command("list", help="仕様の一覧（版・効力期間・方向）")
@CATALOGUE
@AS_JSON
@with_error_messages
def spec_list(catalogue: Path | None, as_json: bool) -> None:
    """One line per version of every interface. What is wrong with a later day's is told, and stops nothing."""
    from schemas.soundness import later_faults

    today = tokyo_now().date()
    loaded = load_catalogue(catalogue_root(catalogue), today)
    if warning := later_faults(loaded, today):
        click.echo(warning.for_people(), err=True)
    layouts = [s.layout for interface in loaded.ids() for s in loaded.versions(interface)]
    if as_json:
        say_json([layout.model_dump(mode="json") for layout in layouts])
        return
    for layout in layouts:
        end = layout.effective_to.isoformat() if layout.effective_to else "（期限なし）"
        click.echo(
            f"{layout.id:28}{layout.effective_from} 〜 {end}  {layout.status:9}{layout.direction:11}{layout.name}"
        )


@spec.command("lint", help="仕様データに誤りがないことを確認する")
@CATALOGUE
@with_error_messages
def spec_lint(catalogue: Path | None) -> None:
    """Print every fault; exit 1 when there is one."""
    from interfaces.contract_lint import UNUSED, unused_items
    from pipelines.operations.reference_data import KEYS, lint_tables
    from schemas.normalise import NORMALISATIONS
    from schemas.rules import registered_rules

    loaded = Catalogue(catalogue_root(catalogue))
    faults = list(dict.fromkeys([*lint(loaded, registered_rules(), NORMALISATIONS), *lint_tables(loaded)]))
    for fault in faults:
        click.echo(f"{fault.code} {fault}")
    for notice in [] if faults else unused_items(loaded):
        click.echo(f"{notice.code} {notice}（{message(UNUSED).title}）")
    for code in sorted({fault.code for fault in faults}):
        click.echo(f"対処（{code}）: {message(code).remedy}")
    versions = sum(len(loaded.versions(interface)) for interface in loaded.ids())
    click.echo(f"{len(loaded.ids())}インタフェース {versions}版、表{len(KEYS)}: 誤り{len(faults)}件")
    sys.exit(FAULTS if faults else 0)


@spec.command("show", help="ある日に効力のある仕様の項目表")
@click.argument("interface")
@click.option("--on", type=DATE, help="どの日のファイルの仕様か（既定: 今日）")
@CATALOGUE
@AS_JSON
@with_error_messages
def spec_show(interface: str, on: dt.datetime | None, catalogue: Path | None, as_json: bool) -> None:
    """The specification in force as a table, laid out like the printed document."""
    day = on.date() if on else tokyo_now().date()
    specification = load_catalogue(catalogue_root(catalogue)).in_force(interface, day)
    if as_json:
        from pipelines.commands.specification_json import specification_json

        say_json(specification_json(specification))
        return
    layout = specification.layout
    click.echo(
        f"{layout.name}（{layout.id} {specification.version} {layout.status}）\n{layout.description}\n出典: {layout.source}"
    )
    form = layout.format
    until = f"{layout.effective_to}の前日まで" if layout.effective_to else "終わりなし"
    click.echo(
        f"向き: {DIRECTIONS[layout.direction]}（{layout.partner}）  周期: {CYCLES[layout.cycle]}"
        f"  効力: {layout.effective_from}から{until}  0件: {'可' if layout.zero_records_allowed else '不可'}\n"
        f"ファイル名: {layout.file_name}  形式: {form.kind} {form.encoding}{' BOM付き' if form.bom else ''}"
        f" {form.line_end} 引用符 {form.quote}{' 見出しあり' if form.header else ''}"
    )
    for record in specification.records:
        below = f"  {record.parent} の下" if record.parent else ""
        mixed = f"  順不同（{record.mixed}）" if record.mixed else ""
        click.echo(f"\n[{record.kind}] {OCCURRENCES[record.occurrence]}{below}{mixed}")
        for item in record.items:
            rules = "; ".join(map(str, item.rules))
            place = f"{item.start}から" if item.start else ""
            days = specification.dates.ranges.get(item.id)
            lasting = f"  {days.earliest}から処理する日の{days.latest}後まで" if days else ""
            none = f"  空の値 {'; '.join(item.blanks)}" if item.blanks else ""
            changes = f"  正規化 {'; '.join(map(str, item.normalise))}" if item.normalise else ""
            click.echo(
                f"{item.shown_number:>3} {item.name}  {item.id}  {item.type.id} {place}{item.length}バイト  {item.required}"
                f"  {item.code_table}  {rules}{lasting}{none}{changes}  [{item.sensitivity.id}]  {item.source}"
            )


@click.command("validate", help="ファイルを仕様で検証する（0 正しい、1 誤りあり、2 判定できない）")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--interface", help="インタフェースの id（既定: ファイル名から見つける）")
@click.option("--on", type=DATE, help="どの日のファイルか（既定: ファイル名の日付、なければ今日）")
@CATALOGUE
@AS_JSON
@click.option("--xlsx", type=click.Path(path_type=Path), help="Excel の報告書を書く場所")
@with_error_messages
def validate_command(
    files: tuple[Path, ...],
    interface: str | None,
    on: dt.datetime | None,
    catalogue: Path | None,
    as_json: bool,
    xlsx: Path | None,
) -> None:
    """Validate one file, or all volumes of one, without a deployment."""
    from interfaces.codec import read_file
    from schemas.report import normalised, to_json, write_xlsx
    from schemas.soundness import require_sound
    from schemas.validate import FileContext, validate_file
    from schemas.volumes import validate_volumes

    for path in files:
        if not os.path.exists(path):  # noqa: PTH110  also false for a name that no file can have
            raise RenkeiError("KR-7104", path=str(path), reason="ありません")
    if xlsx is not None and (xlsx.suffix != ".xlsx" or xlsx.absolute() in [path.absolute() for path in files]):
        raise RenkeiError("KR-6405", name=xlsx.name, reason=".xlsx で終わる、別の名前にしてください")
    loaded = load_catalogue(catalogue_root(catalogue))
    file = files[0]
    recognised = recognise(loaded, file.name)
    if interface is None and recognised is None:
        raise RenkeiError("KR-7302", name=file.name)
    chosen = interface or (recognised[0] if recognised else "")
    named = None
    if recognised and recognised[0] == chosen:
        named = date_of(recognised[1], loaded.versions(chosen)[-1].layout)
    day = on.date() if on else named or tokyo_now().date()
    specification = loaded.in_force(chosen, day)
    require_sound(loaded, specification, day)
    by_name = recognised is not None and recognised[0] == chosen
    context = FileContext(None, None, None, day if on or named else None, file.name if by_name else None)
    if specification.layout.volumes is not None:
        validated = validate_volumes([read_file(path, specification, day) for path in files], context)
    elif len(files) == 1:
        validated = validate_file(file, specification, day, context)
    else:
        one = f"{specification.layout.name}はボリュームに分かれないファイルです（一つずつ検証してください）"
        raise RenkeiError("KR-1038", expected=one)
    if xlsx:
        with writing(xlsx):
            write_xlsx(validated, xlsx)
    if as_json:
        say_json(to_json(validated))
    else:
        for message in validated.findings["message"].head(SHOWN):
            click.echo(message)
        rest = validated.findings.height - SHOWN
        if rest > 0:
            click.echo(f"… 他{rest}件（--xlsx で全ての集計を書けます）")
        if validated.normalised:
            click.echo(f"正規化した値: {normalised(validated)}")
        verdict = "正しいファイルです" if validated.valid else "誤りがあります"
        click.echo(f"{specification.layout.name}（{specification.version}）{validated.records}件: {verdict}")
    sys.exit(0 if validated.valid else FAULTS)


RUNBOOK = """# 手引 — KR コードごとに、何が起き、どうなり、何をするか

`renkei explain --all` の出力。元は `interfaces/catalogue/messages/`。
"""


@click.command("explain", help="KR コードの意味と対処（--all で全部を Markdown で）")
@click.argument("code", required=False)
@click.option("--all", "everything", is_flag=True, help="全てのコード（docs/runbook.md の中身）")
@with_error_messages
def explain(code: str | None, everything: bool) -> None:
    """What a code means and what to do about it."""
    all_messages = messages()
    if everything:
        click.echo(
            "\n".join([RUNBOOK, *(explained(all_messages[known_code]) for known_code in sorted(all_messages))]),
            nl=False,
        )
        return
    found = all_messages.get(_as_code(code or ""))
    if found is None:
        raise RenkeiError("KR-7110", asked=code or "（指定なし）")
    click.echo(explained(found), nl=False)


def _as_code(asked: str) -> str:
    """The code that somebody means by KR-7306, kr7306, 7306 or ＫＲ－７３０６."""
    plain = normalize("NFKC", asked).upper()
    return "KR-" + plain.removeprefix("KR").strip("-‐‑–—−ー ")
