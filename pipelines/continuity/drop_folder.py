"""The folder in which clerks leave filled worksheets: each book is imported, and answered by a text file beside it.

Like at the command line a worksheet is imported whole or not at all. A book that the folder's answer already names, by its
SHA-256, is not read again. The 入力票 are not taken here: they need the name of whoever typed them.
"""

from __future__ import annotations

import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from interfaces.messages import RenkeiError, message
from pipelines.continuity.monthly import Imported, drop_folder, import_worksheet, status
from pipelines.continuity.worksheet import Problem
from pipelines.deployment import Environment
from pipelines.exchange.left_behind import Folder, not_receivable
from pipelines.exchange.transport import LocalFolderTransport
from pipelines.storage.files import sha256_of, write_durably

PLACE = "clerks"  # in the table of files that are left where they lie
ANSWER = "_回答.txt"
_LOCKS = ("~$", ".")  # of Excel and of other programs, while a book is open
_BOM = "\ufeff"  # Notepad reads the text as UTF-8
# What is wrong with a book or its month, and is answered. Any other error is the operator's: the run fails with it.
_ANSWERED = {"KR-7210", "KR-7401", "KR-7402", "KR-7417", "KR-7418", "KR-7420", "KR-7421"}


@dataclass(frozen=True)
class Answered:
    """What became of a file in the folder. taken: its decisions are in the records, now or from before."""

    name: str
    taken: bool
    lines: Sequence[str]


def unanswered(environment: Environment) -> tuple[list[Path], list[RenkeiError]]:
    """The finished files that have no answer yet, and why others are not looked at now (being written, a folder …)."""
    folder = drop_folder(environment)
    if not folder.is_dir():
        return [], []
    listed = [
        file
        for file in LocalFolderTransport(folder).list()
        if not file.name.startswith(_LOCKS) and not file.name.endswith(ANSWER)
    ]
    watched = Folder(PLACE, environment.settings.settle_seconds, lambda _: False)
    reasons = not_receivable(environment.recorder(), watched, listed)
    ready = [folder / file.name for file in listed if file.name not in reasons]
    return [path for path in ready if not _is_answered(path)], [reasons[name] for name in sorted(reasons)]


def answer_all(environment: Environment) -> list[Answered]:
    """Import every unanswered file of the folder, or say why not, and write the answer beside it.

    Errors that no clerk can mend (keys, ledger, disk) are raised; the file then has no answer and is asked for again.
    """
    return [_answer(environment, path) for path in unanswered(environment)[0]]


def _answer(environment: Environment, path: Path) -> Answered:
    sha256 = sha256_of(path)
    try:
        imported = import_worksheet(environment, path, left_by=_owner(path))
        answered = Answered(path.name, not imported.problems, _lines(environment, imported))
    except RenkeiError as error:
        if error.code not in _ANSWERED:
            raise
        remedy = message(error.code).advise_clerk(**error.values)
        answered = Answered(path.name, False, ["取り込めませんでした。", str(error), f"対処: {remedy}"])
    at = environment.clock()
    head = [
        f"{path.name} の取込結果",
        f"{environment.catalogue.calendar.day(at.date())} {at:%H:%M}",
        f"（ファイルの識別 {sha256}）",
    ]
    write_durably(_answer_of(path), (_BOM + "\r\n".join([*head, "", *answered.lines, ""])).encode())
    return answered


def _lines(environment: Environment, imported: Imported) -> list[str]:
    """What was taken, or everything that must be corrected by row and 候補番号."""
    month = environment.catalogue.calendar.month(imported.month)
    if imported.problems:
        head = message("KR-7416").render(count=len(imported.problems))
        return [f"{month}の{head}。", *map(_in_words, imported.problems), f"対処: {message('KR-7416').clerk_remedy}"]
    state = status(environment, imported.month, environment.clock().date())
    taken = f"判定 {imported.new}件を取り込みました" if imported.new else "取込済みの判定表です。変更はありません"
    until = environment.catalogue.calendar.day(state.instruction_until)
    return [
        f"{month}の{taken}。",
        f"判定済み {state.decided}件（うち保留 {state.postponed}件）、残り {state.undecided}件。確定指示期限 {until}",
    ]


def _in_words(problem: Problem) -> str:
    places = [f"{problem.row}行目"] if problem.row else []
    places += [f"候補番号 {problem.candidate}"] if problem.candidate else []
    place = f"{'・'.join(places)}: " if places else ""
    return f"・{place}{problem.text} → {message(problem.code).clerk_remedy}（{problem.code}）"


def _answer_of(path: Path) -> Path:
    return path.with_name(path.name + ANSWER)


def _is_answered(path: Path) -> bool:
    answer = _answer_of(path)
    return answer.is_file() and sha256_of(path) in answer.read_text(encoding="utf-8")


def _owner(path: Path) -> str:
    """The account that owns the file: what is known of who left it. On a share it may be the share's own account."""
    number = path.stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"
