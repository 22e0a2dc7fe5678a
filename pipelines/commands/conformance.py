"""The commands on conformance kits (`renkei conformance ID`, `renkei conformance judge`)."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import click

from interfaces.catalogue import load_catalogue
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
from pipelines.configuration.calendar import tokyo_now

MAKE = "make"


class _Kit(click.Group):
    """`conformance ID …` makes the kit of an interface; every other first word is a command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = args and (args[0] in self.commands or args[0].startswith("-"))
        return super().resolve_command(ctx, args if known else [MAKE, *args])


@click.group(cls=_Kit, help="適合試験: ほかのプログラムの読み方を、見本のファイルで確認する（conformance ID で作る）")
def conformance() -> None:
    """Commands on conformance kits."""


@conformance.command(MAKE, help="あるインタフェースの見本のファイルと、あるべき指摘を作る")
@click.argument("interface")
@click.option("--on", type=DATE, help="どの日のファイルの仕様か（既定: 今日）")
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True, help="書くフォルダ")
@CATALOGUE
@with_error_messages
def conformance_make(interface: str, on: dt.datetime | None, folder: Path, catalogue: Path | None) -> None:
    """Write the kit of an interface."""
    from pipelines.specifications.conformance import write_kit

    day = on.date() if on else tokyo_now().date()
    specification = load_catalogue(catalogue_root(catalogue)).in_force(interface, day)
    with writing(folder):
        cases = write_kit(specification, day, folder)
    click.echo(f"適合試験 {folder}: 正しいファイル 1件、規則に合わないファイル {len(cases) - 1}件")


@conformance.command("judge", help="ほかのプログラムの判定を、あるべき指摘と比べる（0 同じ、1 違う）")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--verdicts", type=click.Path(path_type=Path), help="判定の結果（既定: そのフォルダの verdicts.json）")
@AS_JSON
@with_error_messages
def conformance_judge(folder: Path, verdicts: Path | None, as_json: bool) -> None:
    """Compare another program's verdicts with what is expected."""
    from pipelines.specifications.conformance import judge

    found = judge(folder, verdicts)
    wrong = [verdict for verdict in found if not verdict.agrees]
    if as_json:
        say_json(
            {
                "files": len(found),
                "agree": len(found) - len(wrong),
                "differ": [
                    {
                        "folder": verdict.case.folder,
                        "what": verdict.case.what,
                        "answered": verdict.is_answered,
                        "missed": [vars(one) for one in verdict.missed],
                        "invented": [vars(one) for one in verdict.invented],
                    }
                    for verdict in wrong
                ],
            }
        )
    else:
        for verdict in wrong[:SHOWN]:
            for line in verdict.lines():
                click.echo(line)
        click.echo(f"{len(found)}件のうち同じもの {len(found) - len(wrong)}件、違うもの {len(wrong)}件")
    sys.exit(FAULTS if wrong else 0)
