"""Whether a specification may be used: what lint finds in the version in force stops it, what concerns later days is told."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from interfaces.catalogue import Catalogue, Fault
from interfaces.contract_lint import contract_faults
from interfaces.lint import faults_in_force, lint
from interfaces.meanings import breaches
from interfaces.messages import RenkeiError
from interfaces.spec import Specification
from schemas.normalise import NORMALISATIONS
from schemas.rules import registered_rules
from schemas.rules.relations import RELATIONS

UNSOUND_IN_FORCE, UNSOUND_LATER = "KR-7132", "KR-7133"


def require_sound(catalogue: Catalogue, specification: Specification, on: dt.date) -> None:
    """KR-7132 when the version in force on a day, or a row of a shared table that it uses, has a fault, lacks what the program
    needs of it, or has an item that nothing fills."""
    faults = _in_force(catalogue, specification.id, on)
    if faults:
        raise RenkeiError(
            UNSOUND_IN_FORCE,
            interface=specification.id,
            version=specification.version,
            count=len(faults),
            fault=faults[0],
        )


def later_faults(catalogue: Catalogue, on: dt.date) -> RenkeiError | None:
    """KR-7133, not raised, when there are faults with which no file of the day is read or written."""
    faults = [fault for fault in lint(catalogue, registered_rules(), NORMALISATIONS) if _is_later(catalogue, fault, on)]
    return RenkeiError(UNSOUND_LATER, on=on.isoformat(), count=len(faults), fault=faults[0]) if faults else None


def _is_later(catalogue: Catalogue, fault: Fault, on: dt.date) -> bool:
    """Whether a fault is in a version that begins later, or in a row that only such a version uses."""
    versions = [version for interface in catalogue.ids() for version in catalogue.versions(interface)]
    of_today = [version for version in versions if version.layout.effective_from <= on]
    if any(fault.concerns(version, on) for version in of_today):
        return False
    later = [version for version in versions if version.layout.effective_from > on]
    unread = [version for version in catalogue.unread_versions if version.start > on]
    return (
        fault.since > on
        or any(fault.concerns(version, version.layout.effective_from) for version in later)
        or any(fault == version.fault for version in unread)
    )


@lru_cache(maxsize=512)
def _in_force(catalogue: Catalogue, interface: str, on: dt.date) -> tuple[Fault, ...]:
    specification = catalogue.in_force(interface, on)
    found = [
        *faults_in_force(catalogue, specification, on, registered_rules(), NORMALISATIONS),
        *breaches(specification, on),
    ]
    if specification.layout.direction != "from_union":  # who applies such a file names the item that it lacks (KR-7117)
        found += contract_faults(catalogue, specification, on, RELATIONS)
    return tuple(dict.fromkeys(found))
