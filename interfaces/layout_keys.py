"""The keys of file.toml and their values, in the words of the linter. Pure."""

from __future__ import annotations

from typing import get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from interfaces.spec import FileLayout, Format, RecordLayout, Volumes

_TABLES: dict[str, type[BaseModel]] = {"format": Format, "records": RecordLayout, "volumes": Volumes}


def wrong_key(detail: ErrorDetails) -> str:
    """One fault of file.toml: the key, what is wrong with it, and what is allowed."""
    loc = detail["loc"]
    key, model = ".".join(map(str, loc)), _TABLES.get(str(loc[0]), FileLayout) if len(loc) > 1 else FileLayout
    name = next(str(part) for part in reversed(loc) if isinstance(part, str))
    if detail["type"] == "extra_forbidden":
        return f"{key} というキーはありません（使えるキー: {'・'.join(model.model_fields)}）"
    if detail["type"] == "missing":
        return f"{key} がありません"
    allowed = _allowed(model, name)
    return (
        f"{key} は {allowed} のどれかです"
        if allowed
        else f"{key} の値の形が違います（{_FORMS.get(detail['type'], '文字')}）"
    )


_FORMS = {
    "bool_parsing": "true か false",
    "bool_type": "true か false",
    "date_from_datetime_parsing": "2018-04-01 の形の日付",
    "date_type": "2018-04-01 の形の日付",
    "date_parsing": "2018-04-01 の形の日付",
    "int_parsing": "整数",
    "int_type": "整数",
    "greater_than_equal": "0以上の整数",
    "tuple_type": "[ ] で囲んだ並び",
    "string_pattern_mismatch": "使えない文字があります",
    "too_short": "一つ以上必要です",
    "model_type": "[ ] の見出しの下に書きます",
}


def _allowed(model: type[BaseModel], name: str) -> str:
    """The values of a key that has a fixed set of them; empty for any other."""
    found = model.model_fields.get(name)
    values = [value for value in get_args(found.annotation) if isinstance(value, str)] if found else []
    return "・".join(value or "空" for value in values)
