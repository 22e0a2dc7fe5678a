"""Which column of a file is which item, by the line of its headings; and what is wrong with that line. Reads no values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from interfaces.lines import Lines
from interfaces.spec import Specification

Problem = dict[str, object]


@dataclass(frozen=True)
class Columns:
    """names: of each column of the file, the id of its item, or a name that no item has. problems: why it cannot be read
    (KR-1016 by place; by heading KR-1030 missing, KR-1031 twice, KR-1032 not in the specification).
    """

    names: tuple[str, ...]
    problems: tuple[Problem, ...] = ()


def columns_of(lines: Lines) -> Columns:
    """The columns of a file whose data records may have a line of headings before them."""
    spec = lines.spec
    by_place = tuple(spec.data.item_ids)
    if not spec.format.header:
        return Columns(by_place)
    received = received_headings(lines)
    if spec.format.columns == "by_heading":
        return _by_heading(received, spec)
    return Columns(by_place, tuple(_unlike(received, spec)))


def received_headings(lines: Lines) -> list[str]:
    """The headings of a file, empty ones included; nothing if the file ends before them."""
    form = lines.spec.format
    if len(lines) < form.heading_lines:
        return []
    text = lines.line(form.heading_lines).decode(form.encoding, "replace").removesuffix(form.line_end_text)
    return split(text, lines.spec)


def split(text: str, spec: Specification) -> list[str]:
    """The fields of a line, without their quotes; with them if some quote does not enclose a whole field."""
    delimiter = spec.format.delimiter
    if spec.format.quote == "none":
        return text.split(delimiter)
    field = rf'("(?:[^"]|"")*"|[^"{re.escape(delimiter)}]*)'
    if not re.fullmatch(rf"{field}(?:{re.escape(delimiter)}{field})*", text):
        return text.split(delimiter)
    fields = re.findall(rf"(?:^|{re.escape(delimiter)}){field}", text)
    return [found[1:-1].replace('""', '"') if found.startswith('"') else found for found in fields]


def _by_heading(received: Sequence[str], spec: Specification) -> Columns:
    ids = {item.heading: item.id for item in spec.data.items}
    at = {"line": spec.format.heading_lines}
    counts = Counter(received)
    missing = [heading for heading in ids if heading not in counts]
    others = [place for place, heading in enumerate(received, 1) if heading not in ids]
    problems: list[Problem] = []
    if missing:
        problems.append(at | {"code": "KR-1030", "expected": "、".join(missing)})
    elif others and spec.format.other_columns == "refuse":
        # Such a heading may be a value of a file without headings: its place is shown, not its text.
        problems.append(at | {"code": "KR-1032", "expected": f"{len(ids)}列", "value": f"{others[0]}列目"})
    problems += [
        at | {"code": "KR-1031", "expected": heading, "value": str(counts[heading])}
        for heading in ids
        if counts[heading] > 1
    ]
    names = tuple(ids.get(heading, f"（{place}列目）") for place, heading in enumerate(received, 1))
    return Columns(names, tuple(problems))


def _unlike(received: Sequence[str], spec: Specification) -> list[Problem]:
    expected = [item.heading for item in spec.data.items]
    if list(received) == expected:
        return []
    at: Problem = {"code": "KR-1016", "line": spec.format.heading_lines}
    for position, (want, got) in enumerate(zip([*expected, "（なし）"], [*received, "（なし）"], strict=False), 1):
        if want != got:
            # An unexpected heading may be a value of a file without header: only known names are shown.
            shown = got if got in expected or got == "（なし）" else "（仕様にない見出し）"
            return [at | {"expected": want or "（空）", "value": f"{position}列目 {shown or '（空）'}"}]
    return [at | {"expected": str(len(expected)), "value": str(len(received))}]
