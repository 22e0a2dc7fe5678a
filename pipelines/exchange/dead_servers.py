"""Which servers failed every attempt during a command: the work that follows in it asks them once, instead of waiting again.

Only a command remembers; each run of the daemon waits as the settings say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_remembered: list[set[str]] = []


@contextmanager
def remembering() -> Iterator[None]:
    """For the time of a command."""
    _remembered.append(set())
    try:
        yield
    finally:
        _remembered.pop()


def is_dead(server: str) -> bool:
    """Whether the server failed every attempt before, and has not answered since."""
    return any(server in dead for dead in _remembered)


def gave_up(server: str) -> None:
    """The server failed every attempt."""
    for dead in _remembered:
        dead.add(server)


def answers(server: str) -> None:
    """The server answered."""
    for dead in _remembered:
        dead.discard(server)
