"""What the Dagster UI shows of an asset's table: its columns in words, which are plaintext, and where each comes from.

The asset of an interface file shows the items of its file, whatever is stored of it. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import dagster as dg
import polars as pl

from interfaces.catalogue import Catalogue
from interfaces.spec import Item, Specification
from pipelines.orchestration.column_sources import ColumnSources
from pipelines.storage.tables import MY_NUMBER_ASSETS
from pipelines.tables.files import Manifest, ReceivedFiles, SentFiles
from schemas.tables import Column, StoredTable, Table

COLUMN_SCHEMA, COLUMN_LINEAGE, ROW_COUNT = "dagster/column_schema", "dagster/column_lineage", "dagster/row_count"
CORRESPONDENCE = "項目対応表"


def row_count(table: StoredTable, frame: pl.DataFrame) -> int:
    """How many records an asset has: of its file, where rows of the table are files."""
    if issubclass(table.model, Manifest | ReceivedFiles):
        return int(frame["records"].sum())
    return frame.height


@dataclass(frozen=True)
class TableMetadata:
    """The tables of a catalogue's assets as the UI shows them."""

    catalogue: Catalogue
    tables: Mapping[str, StoredTable]

    def column_schema(self, asset: str, frame: pl.DataFrame | None = None) -> dg.TableSchema:
        """The columns of an asset: those of its model, or all that a frame of it has."""
        columns = self.tables[asset].columns(frame)
        return dg.TableSchema([self._of_column(asset, column) for column in columns])

    def item_schema(self, asset: str, specification: Specification) -> dg.TableSchema:
        """The items of an interface file by a version of its specification."""
        key = specification.data.key
        return dg.TableSchema([self._of_item(asset, item, item.id in key) for item in specification.data.items])

    def shows_items(self, asset: str) -> bool:
        """Whether the asset is a file of which only a note is stored, so that its items are shown."""
        return asset in self.catalogue.ids() and _is_note(self.tables[asset].model)

    def of_definition(self, asset: str) -> dict[str, object]:
        """What an asset shows before it is made: the newest columns, their lineage, and both as a table for people."""
        newest = self.catalogue.versions(asset)[-1] if self.shows_items(asset) else None
        schema = self.item_schema(asset, newest) if newest else self.column_schema(asset)
        names = [column.name for column in schema.columns]
        lineage = {name: deps for name in names if (deps := self._deps(asset, name))}
        return {
            COLUMN_SCHEMA: schema,
            COLUMN_LINEAGE: dg.TableColumnLineage(lineage),
            CORRESPONDENCE: dg.MetadataValue.md(self._correspondence(asset, names)),
        }

    @cached_property
    def sources(self) -> ColumnSources:
        """Where the columns come from."""
        return ColumnSources({asset: self._names(asset) for asset in self.tables})

    def _names(self, asset: str) -> list[str]:
        if self.shows_items(asset):
            return self.catalogue.versions(asset)[-1].data.item_ids
        return self.tables[asset].model.names()

    def _deps(self, asset: str, column: str) -> list[dg.TableColumnDep]:
        found = ((source.asset, source.column) for source in self.sources.of(asset, column))
        return [
            dg.TableColumnDep(dg.AssetKey(name), own) for name, own in found if name is not None and own is not None
        ]

    def _of_column(self, asset: str, column: Column) -> dg.TableColumn:
        encrypted = "個人番号の鍵で暗号化" if asset in MY_NUMBER_ASSETS else "暗号化"
        marks = [*self._sensitivity(column.name), "平文" if column.is_public else encrypted]
        constraints = dg.TableColumnConstraints(nullable=not column.is_key, unique=column.is_key)
        description = f"{column.description}（{'・'.join(marks)}）{self._origin(asset, column.name)}"
        return dg.TableColumn(column.name, str(column.dtype), description, constraints)

    def _of_item(self, asset: str, item: Item, is_key: bool) -> dg.TableColumn:
        other = [f"{item.length}バイト", *([f"コード表 {item.code_table}"] if item.code_table else [])]
        constraints = dg.TableColumnConstraints(nullable=item.required != "必須", unique=is_key, other=other)
        marks = "・".join(self._sensitivity(item.id))
        description = f"{self._name(item.id)}（{marks}）{self._origin(asset, item.id)}"
        return dg.TableColumn(item.id, item.type.id, description, constraints)

    def _sensitivity(self, name: str) -> list[str]:
        entry = self.catalogue.dictionary.get(name)
        return [entry.sensitivity] if entry is not None else []

    def _name(self, name: str) -> str:
        entry = self.catalogue.dictionary.get(name)
        return entry.name if entry is not None else name

    def _origin(self, asset: str, name: str) -> str:
        return f" 元: {_listed(self.sources.origins(asset, name))}"

    def _correspondence(self, asset: str, names: Iterable[str]) -> str:
        words = {column.name: column.description.split("。")[0] for column in self.tables[asset].columns()}
        lines = ["|項目|項目名|すぐ前の元|加工|抽出・受領ファイルの項目|", "|---|---|---|---|---|"]
        for name in names:
            sources = self.sources.of(asset, name)
            before = _listed(source for source in sources if source.asset is not None)
            how = "、".join(dict.fromkeys(source.how for source in sources))
            origins = _listed(one for one in self.sources.origins(asset, name) if one.asset is not None)
            lines.append(f"|`{name}`|{words.get(name) or self._name(name)}|{before}|{how}|{origins}|")
        return "\n".join(lines)


def _listed(sources: Iterable[object]) -> str:
    return "、".join(map(str, sources)) or "—"


def _is_note(model: type[Table]) -> bool:
    return issubclass(model, Manifest | ReceivedFiles | SentFiles)


def with_column_schemas(assets: dg.AssetsDefinition, shown: TableMetadata) -> dg.AssetsDefinition:
    """The assets, those that store a table with its columns."""

    def described(spec: dg.AssetSpec) -> dg.AssetSpec:
        asset = spec.key.path[-1]
        return spec.merge_attributes(metadata=shown.of_definition(asset)) if asset in shown.tables else spec

    return assets.map_asset_specs(described)
