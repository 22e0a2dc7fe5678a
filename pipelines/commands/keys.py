"""Commands on our key pairs (`renkei keys`)."""

from __future__ import annotations

from typing import Any

import click

from pipelines.commands.common import (
    AS_JSON,
    BY,
    REASON,
    environment_of_settings,
    operator,
    say_json,
    with_error_messages,
)


@click.group(help="鍵（暗号化・署名、控え、個人番号）")
def keys() -> None:
    """Commands on our key pairs."""


@keys.command("init", help="まだない鍵を作る。連合会に渡す証明書の場所も示す")
@with_error_messages
def keys_init() -> None:
    """Create the missing keys; existing ones stay."""
    from pipelines.operations.key_rotation import init

    environment = environment_of_settings()
    for pair in init(environment):
        click.echo(f"作成 {pair.name} 証明書の SHA-256 {pair.fingerprint}")
    transfer = environment.keys.current("transfer")
    click.echo(f"連合会に渡す証明書: {environment.keys.folder / f'{transfer.name}.cert.pem'}")


@keys.command("list", help="鍵の一覧（用途・世代・期限・証明書の SHA-256）")
@AS_JSON
@with_error_messages
def keys_list(as_json: bool) -> None:
    """Every generation of every purpose."""
    from pipelines.operations.key_rotation import listed

    found = listed(environment_of_settings())
    if as_json:
        say_json(found.to_dicts())
        return
    for row in found.iter_rows(named=True):
        state = "使用中" if row["current"] else "旧" if row["private_key"] else "廃棄済み"
        click.echo(f"{row['key']:14}{state:6}{row['valid_until']} まで  SHA-256 {row['certificate_sha256']}")


@keys.command("rotate", help="新しい世代の鍵を作り、読めなければならないものを新しい鍵で再暗号化する")
@click.argument("purpose", type=click.Choice(["transfer", "records", "my_number"]))
@BY
@REASON
@with_error_messages
def keys_rotate(purpose: Any, by: str | None, reason: str) -> None:
    """A new generation; the old one stays until it is retired."""
    from pipelines.operations.key_rotation import rotate

    environment = environment_of_settings()
    pair, reencrypted = rotate(environment, purpose, operator(environment, by), reason)
    click.echo(f"作成 {pair.name} 証明書の SHA-256 {pair.fingerprint}\n再暗号化したもの {reencrypted}件")


@keys.command("retire", help="何の暗号化にも使われていない旧世代の秘密鍵を廃棄する")
@click.argument("key")
@BY
@REASON
@with_error_messages
def keys_retire(key: str, by: str | None, reason: str) -> None:
    """Destroy an old private key, once nothing needs it."""
    from pipelines.operations.key_rotation import retire

    environment = environment_of_settings()
    retire(environment, key, operator(environment, by), reason)
    click.echo(f"廃棄 {key}")
