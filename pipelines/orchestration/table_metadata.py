"""What the Dagster UI shows of a stored table: its columns, in words, and which of them are plaintext. Nothing is decided here."""

from collections.abc import Mapping

import dagster as dg
import polars as pl

from pipelines.storage.tables import MY_NUMBER_ASSETS
from schemas.tables import Column, StoredTable

COLUMN_SCHEMA = "dagster/column_schema"


def column_schema(asset: str, table: StoredTable, frame: pl.DataFrame | None = None) -> dg.TableSchema:
    """The columns of an asset's table, or all that a frame of it has."""
    return dg.TableSchema([_shown(column, asset) for column in table.columns(frame)])


def _shown(column: Column, asset: str) -> dg.TableColumn:
    encrypted = "個人番号の鍵で暗号化" if asset in MY_NUMBER_ASSETS else "暗号化"
    kept = "平文" if column.is_public else encrypted
    constraints = dg.TableColumnConstraints(nullable=not column.is_key, unique=column.is_key)
    return dg.TableColumn(column.name, str(column.dtype), f"{column.description}（{kept}）", constraints)


def with_column_schemas(assets: dg.AssetsDefinition, tables: Mapping[str, StoredTable]) -> dg.AssetsDefinition:
    """The assets, those that store a table with its columns."""

    def described(spec: dg.AssetSpec) -> dg.AssetSpec:
        asset = spec.key.path[-1]
        if asset not in tables:
            return spec
        return spec.merge_attributes(metadata={COLUMN_SCHEMA: column_schema(asset, tables[asset])})

    return assets.map_asset_specs(described)
