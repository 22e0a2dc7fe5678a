"""The physical files of one file -> its findings: the whole is judged, and each finding names the volume and its own line.

Which volumes belong together is in `interfaces.volumes`; what is judged in a file is in `validate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from interfaces.codec import PROBLEM_SCHEMA, Decoded, joined
from interfaces.messages import message
from interfaces.volumes import Misfit, Volume, misfits, of_the_whole
from schemas.findings import in_volumes
from schemas.rules.registry import FileContext
from schemas.validate import Validated, validate_decoded

_CODE = "KR-1038"


def validate_volumes(files: Sequence[Decoded], context: FileContext) -> Validated:
    """Validate the volumes of one file together, in whatever order they come. Its layout has `volumes`.

    Where one cannot be read, or they are not the whole of one file (KR-1038), nothing else is judged.
    """
    broken = [validate_decoded(file, replace(context, file_name=file.name)) for file in files if _is_broken(file)]
    if broken:
        return replace(broken[0], findings=pl.concat([file.findings for file in broken]))
    volumes = sorted(map(Volume, files), key=lambda volume: volume.order)
    parts = [volume.decoded for volume in volumes]
    whole = joined(parts, of_the_whole(parts[0].spec))
    starts = [0]
    for part in parts[:-1]:
        starts.append(starts[-1] + part.line_count)
    found = misfits(volumes)
    if found:
        whole.problems = pl.DataFrame([_problem(misfit, starts, whole) for misfit in found], schema=PROBLEM_SCHEMA)
    named = context.file_name and parts[0].name
    validated = validate_decoded(whole, replace(context, file_name=named))
    placed = in_volumes(validated.findings, [part.name for part in parts], starts)
    return replace(validated, findings=placed, file_name=whole.name)


def _is_broken(file: Decoded) -> bool:
    return any(message(code).level == "file" for code in file.problems["code"].unique())


def _problem(misfit: Misfit, starts: Sequence[int], whole: Decoded) -> dict[str, object]:
    """A row of the codec's problems, at the control record of the volume that it is about."""
    problem: dict[str, object] = {"code": _CODE, "expected": misfit.text}
    if misfit.volume is None:
        return problem
    line, control = starts[misfit.volume] + 1, whole.spec.records[0]
    problem |= {"line": line, "record_number": line}
    if misfit.item is None:
        return problem
    value = whole.tables[control.kind].filter(pl.col("line") == line)[misfit.item][0]
    return problem | {"record_kind": control.kind, "item": misfit.item, "value": value}
