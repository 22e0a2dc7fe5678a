"""A kit that judges another program's reading of an interface: sound and broken files, what must be found, and the comparison."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from interfaces.messages import RenkeiError, messages, reason_of
from interfaces.spec import Specification
from pipelines.storage.files import write_durably
from schemas.samples.breaks import Break, Expected, breaks, unbroken
from schemas.samples.files import SampleFile, sound_file
from schemas.samples.values import INSURER, MUNICIPALITY, PREFECTURE

EXPECTED, VERDICTS, README = "expected.json", "verdicts.json", "README.txt"
SOUND, BROKEN = "sound", "broken"
_TEXT: Final = """適合試験　{name}（{id} {version}）

このフォルダは、{name}を読むプログラムの判定を確認するための見本です。個人の情報は全て合成したものです。

  sound/   仕様に合うファイル。何も指摘しないこと
  broken/  一つの番号に一つ、規則を一つだけ破ったファイル。expected.json のとおりに指摘すること

{files}件のファイルは、次の市町村・日のものとして判定します。
  市区町村コード {municipality}、保険者番号 {insurer}、都道府県番号 {prefecture}、処理する日 {on}

判定の結果は verdicts.json に、次の形で書きます（文字コードは UTF-8）。

  [{{"folder": "sound/0000", "findings": []}},
   {{"folder": "broken/0001", "findings": [{{"code": "KR-2001", "line": 2, "item": "resident_number"}}]}}]

  line はファイルの先頭からの行の番号（1から）、item は項目の id。ファイル全体についての指摘は、どちらも null。
  コードを持たないプログラムは、code を null にします。そのときは、行と項目だけを比べます。

比べるには、このフォルダの親で次を実行します。

  renkei conformance judge このフォルダ

見本にしていない規則（別のファイルが要るもの、その規則だけを破れないもの）
{unbroken}
"""


@dataclass(frozen=True)
class Case:
    """A file of the kit: its folder, and what must be found in it."""

    folder: str
    what: str
    expected: frozenset[Expected]


@dataclass(frozen=True)
class Verdict:
    """What a program said otherwise of one file. missed: not found; invented: found and not there."""

    case: Case
    missed: tuple[Expected, ...]
    invented: tuple[Expected, ...]
    is_answered: bool = True

    @property
    def agrees(self) -> bool:
        return self.is_answered and not self.missed and not self.invented

    def lines(self) -> Iterator[str]:
        """For the screen."""
        yield f"{self.case.folder}: {self.case.what}"
        if not self.is_answered:
            yield "  結果がありません"
        for word, found in (("指摘していない", self.missed), ("余分な指摘", self.invented)):
            yield from (f"  {word} {_in_words(one)}" for one in found)


def _in_words(found: Expected) -> str:
    place = f"{found.line}行目" if found.line else "ファイル全体"
    title = f" {messages()[found.code].title}" if found.code in messages() else ""
    return f"{found.code}{title}（{place}{f' {found.item}' if found.item else ''}）"


def write_kit(specification: Specification, on: dt.date, folder: Path) -> Sequence[Case]:
    """Write the kit into a folder, whose sound/ and broken/ are made anew; returns its cases. KR-7150 as `sound_file`."""
    sound = sound_file(specification, on)
    made = list(breaks(sound))
    for name in (SOUND, BROKEN):
        shutil.rmtree(folder / name, ignore_errors=True)
    cases = [Case(f"{SOUND}/0000", "仕様に合うファイル", frozenset())]
    _write(folder, cases[0], sound, sound.content)
    for number, broken in enumerate(made, 1):
        case = Case(f"{BROKEN}/{number:04d}", _what(broken), frozenset(broken.expected))
        cases.append(case)
        _write(folder, case, sound, broken.content)
    write_durably(folder / EXPECTED, _as_json(sound, cases).encode())
    write_durably(folder / README, _readme(sound, cases, unbroken(sound, made)).encode())
    return cases


def _what(broken: Break) -> str:
    return f"{broken.item} {broken.rule}: {broken.what}"


def _write(folder: Path, case: Case, sound: SampleFile, content: bytes) -> None:
    write_durably(folder / case.folder / sound.setting.file_name, content)


def _as_json(sound: SampleFile, cases: Sequence[Case]) -> str:
    setting = sound.setting
    found = {
        "interface": setting.specification.id,
        "version": setting.specification.version,
        "file_name": setting.file_name,
        "on": setting.on.isoformat(),
        "municipality_code": MUNICIPALITY,
        "insurer_number": INSURER,
        "prefecture_code": PREFECTURE,
        "files": [
            {
                "folder": case.folder,
                "what": case.what,
                "findings": [vars(one) for one in sorted(case.expected, key=str)],
            }
            for case in cases
        ],
    }
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def _readme(sound: SampleFile, cases: Sequence[Case], left: Sequence[str]) -> str:
    layout = sound.setting.specification.layout
    return _TEXT.format(
        name=layout.name,
        id=layout.id,
        version=sound.setting.specification.version,
        files=len(cases),
        municipality=MUNICIPALITY,
        insurer=INSURER,
        prefecture=PREFECTURE,
        on=sound.setting.on,
        unbroken="".join(f"  {one}\n" for one in left) or "  なし\n",
    )


def judge(folder: Path, verdicts: Path | None = None) -> list[Verdict]:
    """Another program's verdicts against what is expected, file by file.

    verdicts: the default is the kit's own folder. KR-7151 when one of the two cannot be read.
    """
    expected = _read(folder, folder / EXPECTED, "files")
    said = {str(answer["folder"]): _findings(answer) for answer in _answers(folder, verdicts or folder / VERDICTS)}
    cases = [Case(str(row["folder"]), str(row["what"]), _findings(row)) for row in expected]
    return [_verdict(case, said.get(case.folder)) for case in cases]


def _verdict(case: Case, said: frozenset[Expected] | None) -> Verdict:
    if said is None:
        return Verdict(case, tuple(sorted(case.expected, key=str)), (), is_answered=False)
    wanted = case.expected
    if said and all(not one.code for one in said):  # the program has no codes: places alone are compared
        wanted, said = (frozenset(Expected("", one.line, one.item) for one in side) for side in (wanted, said))
    return Verdict(case, tuple(sorted(wanted - said, key=str)), tuple(sorted(said - wanted, key=str)))


def _findings(row: Mapping[str, Any]) -> frozenset[Expected]:
    return frozenset(Expected(str(one["code"] or ""), one["line"], one["item"]) for one in row["findings"])


def _answers(folder: Path, path: Path) -> list[dict[str, Any]]:
    found = _load(folder, path)
    if not isinstance(found, list):
        raise RenkeiError("KR-7151", path=folder, name=path.name, reason="並びではありません")
    return _checked(folder, path, found)


def _read(folder: Path, path: Path, key: str) -> list[dict[str, Any]]:
    found = _load(folder, path)
    if not isinstance(found, dict) or not isinstance(found.get(key), list):
        raise RenkeiError("KR-7151", path=folder, name=path.name, reason=f"{key} がありません")
    return _checked(folder, path, found[key])


def _load(folder: Path, path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise RenkeiError("KR-7151", path=folder, name=path.name, reason=reason_of(error)) from error
    except ValueError as error:
        raise RenkeiError("KR-7151", path=folder, name=path.name, reason="JSON ではありません") from error


def _checked(folder: Path, path: Path, rows: list[Any]) -> list[dict[str, Any]]:
    """Rows with a folder, and findings that have code, line and item."""
    for number, row in enumerate(rows, 1):
        findings = row.get("findings") if isinstance(row, dict) else None
        keys = {"code", "line", "item"}
        if (
            not isinstance(findings, list)
            or "folder" not in row
            or not all(isinstance(one, dict) and keys <= set(one) for one in findings)
        ):
            raise RenkeiError("KR-7151", path=folder, name=path.name, reason=f"{number}件目の形が違います")
    return rows
