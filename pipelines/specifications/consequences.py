"""What the differences between two versions mean for what is read, stored and sent, in Japanese sentences. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from interfaces.comparison import Comparison, ItemChange, NamedChange, record_lengths, shown
from interfaces.spec import Direction, Item


def consequences(comparison: Comparison) -> list[str]:
    """One sentence for each thing that becomes otherwise; none when nothing differs."""
    found = [
        *(sentence for change in comparison.items for sentence in _of_item(comparison, change)),
        *(sentence for change in comparison.codes for sentence in _of_code(comparison, change)),
        *_of_form(comparison),
    ]
    return list(dict.fromkeys(found))


def _direction(comparison: Comparison) -> Direction:
    return comparison.new.specification.layout.direction


def _of_item(comparison: Comparison, change: ItemChange) -> Iterator[str]:
    """The sentences about one item; where it merely stands elsewhere, nothing becomes otherwise."""
    if change.how == "added":
        yield from map(_added(comparison), change.new)
    elif change.how == "removed":
        yield from map(_removed(comparison), change.old)
    elif change.how in ("split", "joined"):
        olds, news = ("・".join(map(shown, side)) for side in (change.old, change.new))
        yield f"{olds} は {news} になります。古い項目の値と新しい項目の値は比べられません"
    elif change.how == "renamed":
        old, new = change.old[0], change.new[0]
        yield f"{shown(old)} は id が {new.id} に変わります。プログラムと規則は id で読むので、別の項目として扱います"
    labels = {cell.label: cell for cell in change.cells} if change.how in ("changed", "renamed") else {}
    for label, sentence in _OF_LABELS.items():
        if label in labels:
            yield f"{shown(change.new[0])} の{label}が {labels[label].old} から {labels[label].new} に変わります。{sentence}"


# What a changed fact of an item means.
_OF_LABELS = {
    "属性": "違う属性の値は検証で誤りになります",
    "バイト数": "長すぎる値は検証で誤りになります",
    "必須": "必須になった項目が空の記録は保留になり、任意になった項目は空でも通ります",
    "コード表": "意味が同じコードだけが同じものとして扱われます",
    "規則": "新しい規則に合わない記録は検証で誤りになります",
    "正規化": "読み込む（送付する）ときの変換が変わります",
    "日付の範囲": "範囲の外の日付は検証で誤りになります",
    "秘匿区分": "画面・報告での伏せ方と、保存するときの暗号化が変わります",
    "保存": "保存しない項目は、検証のあと、どこにも残りません",
    "値の元": "送付する値の作り方が変わります",
    "見出し": "ファイルの見出しと違うと読めません",
}


def _added(comparison: Comparison) -> Callable[[Item], str]:
    first = comparison.new.specification.version

    def sentence(item: Item) -> str:
        if _direction(comparison) == "to_union":
            source = str(item.value_from) if item.value_from else f"抽出の同じ id（{item.id}）の項目"
            who = (
                "値のある人は全員、すぐに送付します"
                if comparison.new.specification.layout.new_items == "all"
                else "項目が増えたことだけでは送付せず、次に異動のあった人から値が載ります"
            )
            return f"{shown(item)} が {first} の送付から加わります。値の元は {source} です。{who}"
        kept = "暗号化して保存します" if item.is_kept else "検証だけをして、保存しません"
        needed = "。空の記録は誤りになります" if item.required == "必須" else ""
        return f"{shown(item)} を {first} のファイルから読み、{kept}{needed}"

    return sentence


def _removed(comparison: Comparison) -> Callable[[Item], str]:
    first = comparison.new.specification.version

    def sentence(item: Item) -> str:
        if _direction(comparison) == "to_union":
            return f"{shown(item)} は {first} から送付しません"
        return f"{shown(item)} は {first} から読まず、保存しません。保存済みの値は保存期間が過ぎるまで残ります"

    return sentence


def _of_code(comparison: Comparison, change: NamedChange) -> Iterator[str]:
    code = f"コード表 {change.place} の {change.name}"
    facts = {cell.label: cell for cell in change.cells}
    if change.how == "added":
        yield f"{code}（{facts['名称'].new}）が使えるようになります"
    elif change.how == "removed":
        yield f"{code}（{facts['名称'].old}）は誤りになります"
    elif "意味" in facts:
        yield f"{code} の意味が {facts['意味'].old} から {facts['意味'].new} に変わり、同じコードでも違う値として扱われます"


def _of_form(comparison: Comparison) -> Iterator[str]:
    if comparison.form:
        labels = "・".join(cell.label for cell in comparison.form)
        yield f"ファイルの形（{labels}）が変わります。古い形のファイルは誤りになります"
    for cell in comparison.file:
        if cell.label == "ファイル名":
            yield f"ファイル名が {cell.old} から {cell.new} に変わります。古い名前のファイルは見分けられません"
    for kind, before, now in record_lengths(comparison):
        yield f"{kind} のレコード長が {before} バイトから {now} バイトに変わります"
