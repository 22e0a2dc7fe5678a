"""`renkei`, driven by standard input: a line is a command's arguments, its answer a line. For a process under `clocks`."""

from __future__ import annotations

import atexit
import json
import os
import sys
import tempfile
from importlib import import_module

from tests.support.processes import PRELOADED, Done, run_command


def answer(arguments: list[str]) -> Done:
    """Run one command in a process forked from this one."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        names = [f"/proc/{os.getpid()}/fd/{file.fileno()}" for file in (out, err)]
        child = os.fork()
        if child == 0:
            status = 1
            try:
                run_command(arguments, dict(os.environ), *names)
            except SystemExit as ended:
                status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            finally:
                atexit._run_exitfuncs()
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return Done(status, *texts)


if __name__ == "__main__":
    for name in PRELOADED:
        import_module(name)
    for line in sys.stdin:
        print(json.dumps(vars(answer(json.loads(line)))), flush=True)
