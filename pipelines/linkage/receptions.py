"""The Union's answers about the files that we sent: each that is taken moves the file's entry in the ledger."""

from __future__ import annotations

import polars as pl
from sqlalchemy.engine import Connection

from pipelines.deployment import Environment
from pipelines.exchange.ledger import OUT_STATES
from pipelines.linkage.matching import Match, match_receptions
from pipelines.transfer.unrecorded import ANSWERED, interface_of


def receptions(environment: Environment, connection: Connection, data: pl.DataFrame) -> Match:
    """Each answer that is taken moves the file that it speaks of to accepted or rejected."""
    ours = {e.file_name: e for e in environment.ledger.entries(direction="outbound", connection=connection)}
    schema = {"file_name": pl.String, "state": pl.String, "records": pl.Int64}
    rows = [(name, entry.state, entry.records) for name, entry in ours.items()]
    match = match_receptions(data, pl.DataFrame(rows, schema=schema, orient="row"))
    for name in data["sent_file_name"].unique().sort():
        if (name not in ours or ours[name].state not in OUT_STATES) and interface_of(environment, name) is not None:
            environment.ledger.note(
                ANSWERED, operator=environment.settings.operator, connection=connection, file_name=name
            )  # fmt: skip
    for row in match.taken.iter_rows(named=True):
        entry, kind = ours[row["sent_file_name"]], row["reception_kind"]
        count = row["sent_record_count"]
        proved = ("sent", kind)
        for reached in {"uploaded": proved, "unconfirmed": proved, "sent": (kind,)}.get(entry.state, ()):
            environment.ledger.advance(
                entry.id,
                reached,
                operator=environment.settings.operator,
                connection=connection,
                records_at_union=None if count is None else int(count),
            )
    return match
