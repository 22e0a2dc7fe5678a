"""Volumes (ボリューム): the physical files that are one file. Which of them belong together, and what is asked of one alone.

A volume is read by `codec` like any file, so each has the control record and the end record that the layout asks for, and
a group of records does not run on over two volumes. `schemas.volumes` judges the whole.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from interfaces.codec import Decoded
from interfaces.contract import contract
from interfaces.naming import fields_of, parse
from interfaces.spec import Call, Item, Record, Specification, Volumes

# Rules of the file as a whole: what they ask holds for all volumes together and not for each.
_OF_THE_WHOLE = frozenset({"record_sequence", "data_record_count", "count_of", "sum_of"})
_SHOWN = 10  # missing numbers: a damaged count would name millions


@dataclass(frozen=True)
class Misfit:
    """Why volumes are not one file (KR-1038), in Japanese.

    volume: the position (0-based) of the volume that it is about, None for one that is missing. item: of the control record,
    where its value is what does not fit.
    """

    text: str
    volume: int | None = None
    item: str | None = None


@dataclass(frozen=True)
class Volume:
    """One physical file, and what it says of itself."""

    decoded: Decoded

    @cached_property
    def fields(self) -> dict[str, str]:
        """The values in its name; empty where the name does not follow the rule."""
        return parse(self.decoded.spec, self.decoded.name) or {}

    def stated(self, item: str) -> str | None:
        """What a record that occurs once says, else the name; None where neither does."""
        for record in _around(self.decoded.spec):
            if item in record.by_id and self.decoded.tables[record.kind].height:
                return str(self.decoded.tables[record.kind][item][0])
        return self.fields.get(item)

    @property
    def number(self) -> int | None:
        """Its number; None where it cannot be read."""
        return _whole(self.stated(volumes_of(self.decoded.spec).number))

    @property
    def order(self) -> int:
        """Its place among the volumes; one without a number comes last."""
        return sys.maxsize if self.number is None else self.number


def volumes_of(specification: Specification) -> Volumes:
    """What file.toml says of volumes; ValueError for a layout without."""
    if specification.layout.volumes is None:
        raise ValueError(f"{specification.id} has no volumes")
    return specification.layout.volumes


def _whole(text: str | None) -> int | None:
    is_number = text is not None and re.fullmatch("[0-9]{1,9}", text)
    return int(str(text)) if is_number else None


def _around(specification: Specification) -> list[Record]:
    """The records that occur at most once in a volume."""
    return [record for record in specification.records if record.occurrence != "many" and record.parent is None]


def of_the_whole(specification: Specification) -> Specification:
    """What holds for all volumes together: without what is asked of the number itself, which differs from volume to volume."""
    number = volumes_of(specification).number

    def is_dropped(item: Item, call: Call) -> bool:
        of_number = item.id == number and call.name == "constant"
        return of_number or (call.name == "same_as_file_name" and number in call.arguments)

    return _without_rules(specification, is_dropped)


def of_one(specification: Specification) -> Specification:
    """What holds for one volume alone: no numbering, count, total or relation of the whole. Unchanged without volumes."""
    if specification.layout.volumes is None:
        return specification
    whole = of_the_whole(specification)
    alone = _without_rules(whole, lambda _, call: call.name in _OF_THE_WHOLE)
    return replace(alone, layout=alone.layout.model_copy(update={"relations": ()}))


def _without_rules(specification: Specification, is_dropped: Callable[[Item, Call], bool]) -> Specification:
    def kept(item: Item) -> Item:
        return replace(item, rules=tuple(call for call in item.rules if not is_dropped(item, call)))

    records = tuple(replace(record, items=tuple(map(kept, record.items))) for record in specification.records)
    return replace(specification, records=records)


def misfits(volumes: Sequence[Volume]) -> list[Misfit]:
    """Why volumes, in the order of their numbers, are not the whole of one file; empty if they are."""
    unread = [
        Misfit("ボリュームの番号を読めません", place) for place, volume in enumerate(volumes) if volume.number is None
    ]
    return unread or [*_of_another_file(volumes), *_of_numbers(volumes)]


def _of_numbers(volumes: Sequence[Volume]) -> Iterator[Misfit]:
    """Numbers that are there twice, that are missing, or that come after the last one."""
    said = volumes_of(volumes[0].decoded.spec)
    numbers = [volume.number or 0 for volume in volumes]
    count = max((_whole(volume.stated(said.count)) or 0 for volume in volumes), default=0) if said.count else 0
    last = said.first + count - 1 if count else max(numbers)
    for place, number in enumerate(numbers):
        others = [volumes[n].decoded.name for n, other in enumerate(numbers) if other == number and n != place]
        if others:
            yield Misfit(f"番号 {number} のボリュームがほかにもあります（{'・'.join(others)}）", place)
        elif not said.first <= number <= last:
            yield Misfit(f"番号 {number} のボリュームがあるはずはありません（{said.first}から{last}まで）", place)
    absent = last + 1 - said.first - len({number for number in numbers if said.first <= number <= last})
    if absent:
        shown = islice((str(number) for number in range(said.first, last + 1) if number not in numbers), _SHOWN)
        more = f" など{absent}件" if absent > _SHOWN else ""
        yield Misfit(f"番号 {'・'.join(shown)}{more} のボリュームがありません")
    if said.last_item is not None:
        yield from _of_the_last(volumes, said.last_item, str(said.last_value))


def _of_the_last(volumes: Sequence[Volume], item: str, value: str) -> Iterator[Misfit]:
    """The last volume alone says that it is the last."""
    for place, volume in enumerate(volumes):
        if volume.stated(item) == value and volume.number != volumes[-1].number:
            yield Misfit("最後のボリュームであると書かれていますが、後の番号のボリュームがあります", place)
    if volumes[-1].stated(item) != value:
        yield Misfit(f"最後のボリューム（番号 {volumes[-1].number} より後）がありません")


def _of_another_file(volumes: Sequence[Volume]) -> Iterator[Misfit]:
    """What differs from the first volume though it must be the same: the name but for the number, the control record."""
    first, said = volumes[0], volumes_of(volumes[0].decoded.spec)
    control = first.decoded.spec.records[0]
    same = [item for item in control.items if _is_shared(item, said)] if control in _around(first.decoded.spec) else []
    for place, volume in enumerate(volumes):
        if _whole(volume.fields.get(said.number)) not in (None, volume.number):
            yield Misfit(
                f"ファイル名の番号 {volume.fields[said.number]} が、中の番号 {volume.number} と違います", place
            )
        if _shared_fields(volume, said) != _shared_fields(first, said):
            yield Misfit(f"別のファイルのボリュームです。ファイル名が {first.decoded.name} と合いません", place)
            continue
        for item in same:
            if volume.stated(item.id) != first.stated(item.id):
                yield Misfit(f"別のファイルのボリュームです。{first.decoded.name} と値が違います", place, item.id)


def _shared_fields(volume: Volume, said: Volumes) -> dict[str, str]:
    return {name: value for name, value in volume.fields.items() if name not in (said.number, said.last_item)}


def _is_shared(item: Item, said: Volumes) -> bool:
    """Whether an item of the control record is the same in every volume."""
    own = _OF_THE_WHOLE | {"constant"}
    return item.id not in (said.number, said.last_item) and not any(call.name in own for call in item.rules)


def volume_faults(specification: Specification) -> Iterator[str]:
    """What is wrong with the table [volumes] of a layout."""
    layout, said = specification.layout, specification.layout.volumes
    if said is None:
        return
    if layout.is_outgoing or layout.direction == "extract" or contract(specification.id):
        yield "volumes は、プログラムが反映せずに保管するファイルだけに置けます（ボリュームをまとめての反映はできません）"
    if specification.format.header:
        yield "volumes のあるファイルに、見出しの行（header = true）は置けません"
    known = {item.id for record in _around(specification) for item in record.items} | set(fields_of(layout.file_name))
    for name in said.items:
        if name not in known:
            yield f"volumes の {name} は、一度だけのレコードの項目でも、ファイル名の項目でもありません"
    marks = {item.id for record in _around(specification) for item in record.marked_items}
    if said.number in marks:
        yield f"volumes の {said.number} は、レコードの種別を見分ける項目なので使えません"
