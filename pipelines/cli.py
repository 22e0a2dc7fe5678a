"""The command line `renkei` for operators and clerks: the list of commands. Each is defined in `commands`.

A command's module is imported only when the command is used, so that the list of commands appears at once.
"""

from __future__ import annotations

import gc
import gettext
import os
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import click


class CommandLocation(NamedTuple):
    """Where a command is defined, and its line in the list of commands."""

    module: str
    name: str
    help: str


# By the occasion on which they are used, in the order of the list.
COMMAND_GROUPS = {
    "毎日": {
        "status": CommandLocation(
            "status",
            "status_command",
            "処理状況: 今日と直近の5営業日、待っているもの、次にすること（0 なし、1 あり、2 分からない）",
        ),
        "run": CommandLocation("running", "run", "処理の実行"),
        "withheld": CommandLocation(
            "eligibility",
            "withheld_command",
            "要修正の一覧: その日の送付で保留した人と世帯を、担当者のフォルダの Excel に書く",
        ),
        "confirm-person": CommandLocation(
            "eligibility",
            "confirm_person_command",
            "要修正の一覧の「別人の疑い」（KR-7221）を確認し、本人に間違いないと記録する",
        ),
        "approve": CommandLocation(
            "ledger",
            "approve_command",
            "大量・初回の送付を、作成した人とは別の人が承認する（--by がなければ待っているものを示す）",
        ),
        "expected": CommandLocation(
            "expected", "expected", "届くはず・送るはずのもので、まだないもの（0 なし、1 あり）"
        ),
        "linkage": CommandLocation("linkage", "linkage", "取り込んだ連携の状態"),
    },
    "毎月": {
        "continuity": CommandLocation("continuity", "continuity", "世帯の継続性（月次）"),
        "high-cost": CommandLocation("high_cost", "high_cost", "高額該当回数と限度額"),
        "agreement": CommandLocation(
            "agreement",
            "agreement_command",
            "整合性確認: 締め日の全員を、送付した内容・連合会の決定と比べ、担当者のフォルダに一覧を書く",
        ),
    },
    "困ったとき": {
        "doctor": CommandLocation(
            "doctor",
            "doctor_command",
            "診断: 設定・権限・鍵・台帳・ディスク・時計・日程・接続・メール（0 良、1 注意、2 異常）",
        ),
        "explain": CommandLocation("specifications", "explain", "KR コードの意味と対処（--all で全部を Markdown で）"),
        "rerun": CommandLocation(
            "running",
            "rerun",
            "失敗したままのパーティションを、入力から再度読み込んで再実行する（Dagster の記録から探す）",
        ),
        "quarantine": CommandLocation("ledger", "quarantine", "隔離されたファイル"),
        "ledger": CommandLocation("ledger", "ledger", "送付・受領の台帳"),
    },
    "鍵と媒体": {
        "keys": CommandLocation("keys", "keys", "鍵（暗号化・署名、控え、個人番号）"),
        "media": CommandLocation("media", "media", "電子記録媒体での受け渡しと媒体管理簿"),
    },
    "監査": {
        "audit": CommandLocation("audit", "audit", "監査: 台帳・ファイル・判定の照合と、月の報告"),
        "retention": CommandLocation("audit", "retention", "保存期間の過ぎたものの消去"),
    },
    "仕様": {
        "spec": CommandLocation("specifications", "spec", "インタフェースの仕様"),
        "conformance": CommandLocation(
            "conformance",
            "conformance",
            "適合試験: ほかのプログラムの読み方を、見本のファイルで確認する（conformance ID で作る）",
        ),
        "validate": CommandLocation(
            "specifications", "validate_command", "ファイルを仕様で検証する（0 正しい、1 誤りあり、2 判定できない）"
        ),
    },
}
COMMANDS = {name: location for group in COMMAND_GROUPS.values() for name, location in group.items()}
LANGUAGE, WORDS = "ja", Path(__file__).parent / "locale"


class _Commands(click.Group):
    """The commands of COMMANDS, in their order."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run a command; click's own words are Japanese, whatever the locale of the process is."""
        gettext.bindtextdomain("messages", WORDS)
        os.environ["LANGUAGE"] = LANGUAGE
        return super().main(*arguments, **options)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in their order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        location = COMMANDS.get(cmd_name)
        if location is None:
            return None
        command: click.Command = getattr(_imported(f"pipelines.commands.{location.module}"), location.name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands by group, without importing them."""
        for group, commands in COMMAND_GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(name, location.help) for name, location in commands.items()])


def _imported(name: str) -> ModuleType:
    """A module. What importing it made lives until the end, so the collector looks at it neither then nor later.

    Looking took a sixth of a command's start, and a quarter of a run of a day.
    """
    if name in sys.modules:
        return sys.modules[name]
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


@click.group(cls=_Commands, help="国保連携: 市町村と国保連合会のファイル連携")
def main() -> None:
    """The root of all commands."""


if __name__ == "__main__":
    main()
