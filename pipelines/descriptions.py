"""Specifications as Markdown for people who read the Dagster UI. Nothing is decided here."""

from __future__ import annotations

from interfaces.catalogue import load_catalogue


def item_tables(interface: str) -> str:
    """The newest embedded version of an interface, as Markdown tables like the printed specification."""
    specification = load_catalogue().versions(interface)[-1]
    plan, form = specification.plan, specification.format
    status = "公式" if plan.status == "official" else "仮定"
    lines = [
        f"**{plan.name}** {specification.version}（{status}）",
        "",
        f"{plan.description}。出典: {plan.source}",
        "",
        f"`{plan.file_name}` {form.kind} {form.encoding} {form.line_end}",
    ]
    for record in specification.records:
        lines += [
            "",
            f"### {record.kind}",
            "",
            "|項番|項目名|id|属性|バイト|必須|コード表|出典|",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"|{i.number}|{i.name}|`{i.id}`|{i.type.id}|{i.length}|{i.required.replace('|', '・')}|{i.code_table}|{i.source}|"
            for i in record.items
        ]
    return "\n".join(lines)
