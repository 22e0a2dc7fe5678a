"""Which KR- codes the suite provoked at a public door: what commands print, what Dagster's checks and failures say.

A whole run names the codes that were never seen there. A run of some tests only says nothing.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
from collections.abc import Callable
from typing import Any

import dagster as dg
import processes
import pytest
from click.testing import CliRunner

from fixtures.torture import town
from interfaces.messages import messages

CODE = re.compile(r"KR-\d{4}")
# These print any code that they are asked for.
ENCYCLOPEDIA = ("explain",)


class Provoked:
    """Looks at the doors during a run, gathers the codes of all workers, and names those that a whole run missed."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.seen: set[str] = set()
        self._look()

    def pytest_testnodedown(self, node: Any) -> None:
        """A worker is done: its codes are ours."""
        self.seen |= set(getattr(node, "workeroutput", {}).get("provoked", ()))

    def pytest_sessionfinish(self) -> None:
        """A worker hands its codes over."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["provoked"] = sorted(self.seen)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The codes that nobody provoked, by name."""
        if self._is_whole() and self.missing():
            terminalreporter.section("codes that no test provokes at a public door")
            terminalreporter.write_line(" ".join(self.missing()))

    def missing(self) -> list[str]:
        """The codes of the catalogue that were not seen."""
        return sorted(set(messages()) - self.seen)

    def _is_whole(self) -> bool:
        option = self._config.option
        chosen = option.keyword or option.markexpr or option.lf or option.maxfail
        return not chosen and self._config.args_source is pytest.Config.ArgsSource.TESTPATHS

    def _look(self) -> None:
        self._wrap(CliRunner, "invoke", lambda result, _: result.output, skip=_asks_the_encyclopedia)
        self._wrap(subprocess.Popen, "communicate", lambda pair, _: " ".join(map(_text, pair)), skip=_explains)
        self._wrap(processes, "renkei", lambda done, _: done.stdout + done.stderr)
        self._wrap(town.Town, "ended", lambda answers, _: " ".join(one.out + one.err for one in answers))
        self._wrap(dg.AssetCheckResult, "__new__", lambda result, _: f"{result.description} {result.metadata}")
        self._wrap(dg.Failure, "__init__", lambda _, named: str(named.get("description")))

    def _wrap(
        self,
        holder: Any,
        name: str,
        text_of: Callable[[Any, dict[str, Any]], str],
        skip: Callable[..., bool] = lambda *_, **__: False,
    ) -> None:
        """`holder.name` from now on also shows what `text_of` (result, named arguments) makes of its calls."""
        inner = getattr(holder, name)

        @functools.wraps(inner)
        def looking(*arguments: Any, **named: Any) -> Any:
            result = inner(*arguments, **named)
            if not skip(*arguments, **named):
                self.seen |= set(CODE.findall(text_of(result, named)))
            return result

        is_static = isinstance(holder.__dict__.get(name), staticmethod)
        setattr(holder, name, staticmethod(looking) if is_static else looking)


def _text(said: str | bytes | None) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said or ""


def _asks_the_encyclopedia(_runner: object, _command: object, arguments: Any = (), **_: object) -> bool:
    return bool(set(ENCYCLOPEDIA) & set(arguments or ()))


def _explains(process: subprocess.Popen[bytes], *_: object, **__: object) -> bool:
    command = process.args if isinstance(process.args, list | tuple) else [process.args]
    return bool(set(ENCYCLOPEDIA) & {os.fspath(part) for part in command if isinstance(part, str | os.PathLike)})
