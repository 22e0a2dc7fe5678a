"""The command line `renkei`: the door for operators and clerks. Which commands there are; each lives in `commands`."""

from __future__ import annotations

import click

from pipelines.commands import (
    audit,
    continuity,
    eligibility,
    high_cost,
    keys,
    ledger,
    linkage,
    media,
    running,
    specifications,
)


@click.group(help="国保連携: 市町村と国保連合会のファイル連携")
def main() -> None:
    """The root of all commands."""


for command in (
    specifications.spec, specifications.validate_command, specifications.explain,
    running.run, running.rerun, running.expected, eligibility.held_command,
    eligibility.confirm_person_command,
    continuity.continuity, high_cost.high_cost,
    ledger.ledger, ledger.approve_command, ledger.quarantine, linkage.linkage,
    audit.audit, audit.retention, keys.keys, media.media,
):  # fmt: skip
    main.add_command(command)


if __name__ == "__main__":
    main()
