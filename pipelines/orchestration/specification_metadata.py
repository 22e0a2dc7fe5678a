"""What the Dagster UI shows of an interface file: its specification as Markdown. Nothing is decided here."""

from pathlib import Path

import dagster as dg

from interfaces.catalogue import Catalogue, load_catalogue
from interfaces.spec import Specification
from pipelines.specifications.book import page_of


def name_of(interface: str) -> str:
    """The Japanese name of an interface, as the embedded catalogue has it."""
    return load_catalogue().versions(interface)[-1].layout.name


def item_tables(catalogue: Catalogue, interface: str) -> str:
    """All versions of an interface, the newest first, as Markdown tables like the printed specification."""
    return "\n\n".join(_item_table(version) for version in reversed(catalogue.versions(interface)))


def _item_table(specification: Specification) -> str:
    layout, form = specification.layout, specification.format
    status = "公式" if layout.status == "official" else "仮定"
    lines = [
        f"**{layout.name}** {specification.version}（{status}）",
        "",
        f"{layout.description}。出典: {layout.source}",
        "",
        f"`{layout.file_name}` {form.kind} {form.encoding} {form.line_end}",
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
            f"|{i.shown_number}|{i.name}|`{i.id}`|{i.type.id}|{i.length}|{i.required.replace('|', '・')}|{i.code_table}|{i.source}|"
            for i in record.items
        ]
    return "\n".join(lines)


def with_specifications(
    assets: dg.AssetsDefinition, catalogue: Catalogue, book: Path | None = None
) -> dg.AssetsDefinition:
    """The assets, those that are an interface's file with its specification one click away.

    book: the folder in which `renkei spec book` may have written; its page is named where it is there.
    """

    def described(spec: dg.AssetSpec) -> dg.AssetSpec:
        interface = spec.key.path[-1]
        if interface not in catalogue.ids():
            return spec
        metadata: dict[str, dg.MetadataValue] = {"仕様": dg.MetadataValue.md(item_tables(catalogue, interface))}
        if book is not None and (page := book / page_of(interface)).is_file():
            metadata["仕様書"] = dg.MetadataValue.url(page.absolute().as_uri())
        return spec.merge_attributes(metadata=metadata)

    return assets.map_asset_specs(described)
