"""Renews docs/specification-reference.md from the code and the catalogue: `python docs/reference.py`.

Everything that a catalogue can say stands there once: keys, columns, rules, relations, normalisations, types.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pydantic import BaseModel  # noqa: E402
from pydantic_core import PydanticUndefined  # noqa: E402

from interfaces.catalogue import DEFAULT_ROOT, load_catalogue, read_rows  # noqa: E402
from interfaces.item_flow import FORMS  # noqa: E402
from interfaces.spec import FileLayout, Format, RecordLayout  # noqa: E402
from schemas.normalise import NORMALISATIONS  # noqa: E402
from schemas.rules import registered_rules  # noqa: E402
from schemas.rules.relations import RELATIONS  # noqa: E402

PAGE = ROOT / "docs" / "specification-reference.md"
HEAD = """# 仕様データの書き方の一覧 — every key, column, rule and type

Made by `python docs/reference.py` from the code and the shipped catalogue; a test says when it is stale. How to write a
specification: [specifications.md](specifications.md), [extending.md](extending.md).
"""


def table(heading: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """A table of Markdown."""
    columns = list(heading)
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield f"| {' | '.join(cell(one) for one in row)} |"


def cell(value: object) -> str:
    """A cell: no bar and no line end of its own."""
    return str(value).replace("|", "\\|").replace("\n", " ") or "—"


def allowed(kind: Any) -> str:
    """What a key can hold."""
    if get_origin(kind) is not None and all(isinstance(one, str) for one in get_args(kind)):
        return " ".join(f"`{one}`".replace("\t", "\\t") if one else "（空）" for one in get_args(kind))
    return getattr(kind, "__name__", str(kind)).replace("typing.", "")


def keys(model: type[BaseModel]) -> Iterator[str]:
    """The keys of a table of file.toml."""
    rows = []
    for name, field in model.model_fields.items():
        default = (
            "必須" if field.default is PydanticUndefined and field.default_factory is None else f"`{field.default!r}`"
        )
        rows.append((f"`{name}`", allowed(field.annotation), default))
    return table(("キー", "値", "省くと"), rows)


def meanings() -> Mapping[str, str]:
    """Rules and normalisations in words."""
    rows = read_rows(DEFAULT_ROOT / "reading" / "rules.csv", ("名前", "意味"))
    return {row["名前"]: row["意味"] for row in rows}


def page() -> str:
    """The whole page."""
    words, catalogue = meanings(), load_catalogue()
    rules = {name: rule for name, rule in sorted(registered_rules().items()) if name not in RELATIONS}
    parts = [
        HEAD,
        "## file.toml\n",
        *keys(FileLayout),
        "\n## file.toml の [format]\n",
        *keys(Format),
        "\n## file.toml の [[records]]\n",
        *keys(RecordLayout),
        "\n## 項目の表の列\n",
        *table(
            ("列", "形", "列がなくても"),
            ((one.heading, one.form, "可" if one.is_optional else "不可") for one in catalogue.item_columns.values()),
        ),
        "\n必須 は `必須`、`任意`、`条件 id`（その項目に値があるとき）、`条件 id=値|値`（その項目がその値のとき）。\n",
        "## 値の元\n",
        *table(("呼び方",), ((f"`{name}`",) for name in FORMS)),
        "\n## 規則\n",
        *table(
            ("名前", "引数", "KRコード", "意味"),
            ((f"`{name}`", "、".join(rule.arguments), rule.code, words.get(name, "")) for name, rule in rules.items()),
        ),
        "\n## 記録どうしの規則（relations）\n",
        *table(
            ("名前", "KRコード", "読む項目", "意味"),
            (
                (f"`{name}`", relation.code, "、".join(sorted(relation.reads)), words.get(name, ""))
                for name, relation in sorted(RELATIONS.items())
            ),
        ),
        "\n## 正規化\n",
        *table(
            ("名前", "引数", "意味"),
            ((f"`{n}`", "、".join(m.arguments), words.get(n, "")) for n, m in NORMALISATIONS.items()),
        ),
        "\n## 属性（types.csv）\n",
        *table(
            ("属性", "正規表現", "日付形式", "数の形式", "詰め方", "説明"),
            (
                (kind.id, f"`{kind.pattern}`", kind.date_format, kind.number_format, kind.padding, kind.description)
                for kind in catalogue.types.values()
            ),
        ),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
