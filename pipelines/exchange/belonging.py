"""Which municipality a data folder, a ledger and a set of keys belong to: bound at first use, checked at every other use.

The binding of the ledger is an event, that of the folder a small file, that of the keys the subject of their certificates.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from interfaces.messages import RenkeiError
from pipelines.configuration.settings import Settings
from pipelines.exchange.ledger.reading import Reader
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.storage.files import write_durably
from pipelines.storage.keyring import KeyRing

FILE: Final = "municipality.json"


@dataclass(frozen=True)
class Municipality:
    """The three numbers that identify a municipality, as in the settings."""

    municipality_code: str
    insurer_number: str
    prefecture_code: str

    @classmethod
    def of(cls, settings: Settings) -> Municipality:
        """The municipality that the settings are for."""
        return cls(settings.municipality_code, settings.insurer_number, settings.prefecture_code)

    @property
    def key_owner(self) -> str:
        """The owner named in the certificates of its keys."""
        return f"国保連携 {self.municipality_code}"

    def __str__(self) -> str:
        return f"市町村コード {self.municipality_code}・保険者番号 {self.insurer_number}・都道府県番号 {self.prefecture_code}"


def require_own_folder(folder: Path, own: Municipality) -> None:
    """KR-6141 when the data folder is bound to another municipality, or its binding cannot be read."""
    path = folder / FILE
    try:
        bound = Municipality(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError) as error:
        raise _refusal("データフォルダ", str(folder), f"読めない記録 {FILE} の市町村", own) from error
    if bound != own:
        raise _refusal("データフォルダ", str(folder), str(bound), own)


def require_own_ledger(ledger: Reader, shown_url: str, own: Municipality) -> None:
    """KR-6141 when the first binding of the ledger (at `shown_url`) names another municipality."""
    bound = ledger.first_event_of(LedgerEvent.BELONGS_TO)
    if bound is not None and bound.detail != asdict(own):
        raise _refusal("台帳", shown_url, str(Municipality(**bound.detail)), own)


def require_own_keys(keys: KeyRing, own: Municipality) -> None:
    """KR-6141 when a certificate of the key folder names another owner."""
    theirs = sorted(keys.owners() - {own.key_owner})
    if theirs:
        raise _refusal("鍵", str(keys.folder), "、".join(theirs), own)


def bind(folder: Path, recorder: Recorder, own: Municipality) -> None:
    """Bind what is not bound yet. Keys need no binding: their certificates are created with the owner's name."""
    if not (folder / FILE).exists():
        write_durably(folder / FILE, json.dumps(asdict(own), indent=1).encode())
    if recorder.first_event_of(LedgerEvent.BELONGS_TO) is None:
        with recorder.transaction() as work:
            if work.first_event_of(LedgerEvent.BELONGS_TO) is None:
                work.append_event(LedgerEvent.BELONGS_TO, **asdict(own))


def _refusal(what: str, place: str, theirs: str, own: Municipality) -> RenkeiError:
    return RenkeiError("KR-6141", what=what, place=place, theirs=theirs, ours=str(own))
