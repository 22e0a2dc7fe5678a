"""The settings of one municipality, read from one TOML file, with the meaning of every key."""

from __future__ import annotations

import getpass
import os
import tomllib
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from interfaces.messages import RenkeiError, reason_of

ENVIRONMENT_KEY = "RENKEI_SETTINGS"
FIRST_DAY = date(2026, 4, 1)  # older days would stand in the UI as never run

# One attempt at most, before a byte of a file moves: 15 TCP + 30 banner + 15 handshake + 30 authentication = 90 s.
CONNECT_SECONDS = 15.0
BANNER_SECONDS = 30.0
HANDSHAKE_SECONDS = 15.0
AUTHENTICATION_SECONDS = 30.0
# A writer that pauses longer than this between two writes is not waited for.
SETTLE_SECONDS = 60.0
# A server that sends nothing for a minute during a transfer is gone.
REPLY_SECONDS = 60.0
# 4 attempts × 90 s + pauses of 5 + 10 + 20 s = 395 s; the rest of ten minutes is for the bytes.
ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 5.0
TOTAL_DEADLINE_SECONDS = 600.0

_Seconds = Annotated[float, Field(gt=0, description="0より大きい秒数")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="after")
    @classmethod
    def _below_the_settings_file(cls, value: Any, info: ValidationInfo) -> Any:
        """A relative path is relative to the folder of the settings file."""
        return info.context["folder"] / value if isinstance(value, Path) and info.context else value


class SftpSettings(_Strict):
    """`[sftp]`: the Union's server. The host key is pinned; there is no password and no known_hosts file."""

    host: str = Field(min_length=1, description="サーバの名前かアドレス")
    port: int = Field(default=22, ge=1, le=65535, description="1から65535までの整数")
    user: str = Field(min_length=1, description="連合会が発行した利用者名")
    private_key: Path = Field(description="秘密鍵のファイルの場所")
    host_key: str = Field(pattern=r"^\S+ \S+", description="「ssh-ed25519 AAAA…」の形のサーバの公開鍵")
    to_union_folder: str = Field(min_length=1, description="送信先のフォルダ")
    from_union_folder: str = Field(min_length=1, description="受信元のフォルダ")
    settle_seconds: float = Field(default=SETTLE_SECONDS, ge=0, description="書き終わりを待つ0以上の秒数")
    connect_seconds: _Seconds = CONNECT_SECONDS
    banner_seconds: _Seconds = BANNER_SECONDS
    handshake_seconds: _Seconds = HANDSHAKE_SECONDS
    authentication_seconds: _Seconds = AUTHENTICATION_SECONDS
    reply_seconds: _Seconds = REPLY_SECONDS
    attempts: int = Field(default=ATTEMPTS, ge=1, description="1以上の回数")
    first_pause_seconds: _Seconds = FIRST_PAUSE_SECONDS
    total_deadline_seconds: _Seconds = TOTAL_DEADLINE_SECONDS


class KeySettings(_Strict):
    """`[keys]`: the folder of our key pairs, and the file that unlocks them (better on another medium than the keys)."""

    folder: Path | None = Field(default=None, description="鍵のフォルダ（なければ data_folder の下の keys）")
    passphrase_file: Path | None = Field(
        default=None, description="鍵を開けるパスフレーズのファイル（なければ鍵のフォルダの passphrase）"
    )


class SealingSettings(_Strict):
    """`[sealing]`: when present, every file is signed and encrypted, in both directions (CMS, RFC 5652)."""

    partner_certificates: tuple[Path, ...] = Field(
        min_length=1, description="連合会の証明書（PEM）の場所の並び。新しいものを先に。先頭の証明書あてに暗号化する"
    )

    @field_validator("partner_certificates", mode="after")
    @classmethod
    def _each_below_the_settings_file(cls, value: tuple[Path, ...], info: ValidationInfo) -> tuple[Path, ...]:
        return tuple(info.context["folder"] / path for path in value) if info.context else value


class ApprovalSettings(_Strict):
    """`[approval]`: what a second person must approve before it is sent."""

    persons: int = Field(default=10_000, ge=1, description="この人数以上を送るときに承認が必要（1以上の整数）")
    first_load: bool = Field(default=True, description="初回の全件送付に承認が必要か（true か false）")
    separate_accounts: bool = Field(
        default=False, description="作成したアカウントからの承認をいつも断るか（true か false）"
    )


_Share = Annotated[float, Field(gt=0, le=1, description="0より大きく1までの割合（例 0.02）")]


class LimitSettings(_Strict):
    """`[limits]`: how much may change within some days before a person must confirm it, as shares of what the Union knows.

    The defaults: 取消 and lost households are rare, identities change by marriage and correction, and an April brings many
    newcomers. `floor` keeps a small municipality from having to confirm a single family.
    """

    withdrawn: _Share = 0.02
    added: _Share = 0.10
    identity: _Share = 0.02
    households_gone: _Share = 0.02
    floor: int = Field(default=10, ge=0, description="この数までは理由を求めない（0以上の整数）")
    days: int = Field(default=7, ge=1, description="何日分を合わせて数えるか（1以上の整数）")


class MediaSettings(_Strict):
    """`[media]`: the media (電子記録媒体) that may be used at all."""

    allowed: tuple[str, ...] = Field(default=(), description='使ってよい媒体の管理番号の並び（例 ["M-0001"]）')


_Address = Annotated[str, Field(pattern=r"^[!-?A-~]+@[!-?A-~]+$")]
_ADDRESSES = 'メールアドレス（例 "renkei@city.example"、to は ["…", "…"]）'


class AlertSettings(_Strict):
    """`[alerts]`: the mail server for alerts, and their recipients. Never a password, only its file."""

    host: str = Field(min_length=1, description="メールサーバの名前かアドレス")
    port: int = Field(default=587, ge=1, le=65535, description="1から65535までの整数")
    sender: _Address = Field(alias="from", description=_ADDRESSES)
    to: tuple[_Address, ...] = Field(min_length=1, description=_ADDRESSES)
    tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="starttls、tls、none のどれか（none は host がこの機械自身のときだけ）"
    )
    ca_file: Path | None = Field(default=None, description="サーバの証明書を確認する証明書のファイルの場所")
    user: str = Field(default="", description="メールサーバの利用者名（あれば password_file も）")
    password_file: Path | None = Field(
        default=None, validate_default=True, description="本人だけが読めるパスフレーズのファイルの場所（user とともに）"
    )

    @field_validator("tls")
    @classmethod
    def _in_the_clear_on_this_machine_only(cls, tls: str, info: ValidationInfo) -> str:
        if tls == "none" and not _is_this_machine(info.data.get("host", "")):
            raise ValueError
        return tls

    @field_validator("password_file")
    @classmethod
    def _with_a_user(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if (path is None) != (not info.data.get("user")):
            raise ValueError
        return path


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Settings(_Strict):
    """One deployment serves one municipality (D-083)."""

    municipality_code: str = Field(pattern=r"^\d{6}$", description="6桁の全国地方公共団体コード")
    insurer_number: str = Field(pattern=r"^\d{6}$", description="6桁の保険者番号")
    prefecture_code: str = Field(pattern=r"^\d{2}$", description="2桁の都道府県番号")
    municipality_name: str = Field(default="", description="当市区町村の名前（監査報告書の表紙に載る）")
    data_folder: Path = Field(description="台帳・控え・隔離を置くフォルダ")
    extract_folder: Path = Field(description="自治体の抽出ファイルが届くフォルダ")
    catalogue_folder: Path | None = Field(default=None, description="仕様データのフォルダ（なければ内蔵のもの）")
    ledger_url: str = Field(
        default="", description="sqlite:///… か postgresql+psycopg2://… の形（なければ data_folder）"
    )
    first_day: date = Field(default=FIRST_DAY, description="運用を始める日（最初に送る営業日。例 2026-04-01）")
    last_day: date | None = Field(
        default=None, description="運用を終える日（最後に送る営業日。first_day 以後。なければ終わらない）"
    )
    operator: str = Field(default_factory=getpass.getuser, min_length=1, description="操作者の名前")
    lost_rows_threshold: float = Field(default=0.30, ge=0, le=1, description="0から1までの割合（例 0.30）")
    switched_off_interfaces: tuple[str, ...] = Field(default=(), description='インタフェースのid の並び（例 ["…"]）')
    sftp: SftpSettings | None = Field(default=None, description="[sftp] の見出しの下に書く接続先")
    keys: KeySettings = Field(default=KeySettings(), description="[keys] の見出しの下に書く鍵の置き場所")
    sealing: SealingSettings | None = Field(default=None, description="[sealing] の見出しの下に書く連合会の証明書")
    approval: ApprovalSettings = Field(
        default=ApprovalSettings(), description="[approval] の見出しの下に書く承認の条件"
    )
    limits: LimitSettings = Field(default=LimitSettings(), description="[limits] の見出しの下に書く異動の上限")
    media: MediaSettings = Field(default=MediaSettings(), description="[media] の見出しの下に書く媒体の管理番号")
    clerk_folder: Path | None = Field(
        default=None, description="判定表と印刷するリストを置くフォルダ（なければ data_folder の隣の clerk）"
    )
    sent_log: Path | None = Field(
        default=None, description="送付の控え帳のファイルの場所（なければ data_folder の隣）。data_folder の外に置く"
    )
    alerts: AlertSettings | None = Field(default=None, description="[alerts] の見出しの下に書くメールの宛先")

    @field_validator("last_day")
    @classmethod
    def _not_before_the_first(cls, last: date | None, info: ValidationInfo) -> date | None:
        if last is not None and last < info.data.get("first_day", last):
            raise ValueError
        return last

    @property
    def ledger(self) -> str:
        """The ledger's database URL: `ledger_url`, else a SQLite file in the data folder."""
        return self.ledger_url or f"sqlite:///{self.data_folder / 'ledger.sqlite'}"

    @property
    def settle_seconds(self) -> float:
        """How long a file must be unchanged before it counts as finished, on the server and on media alike."""
        return self.sftp.settle_seconds if self.sftp else SETTLE_SECONDS

    @property
    def key_folder(self) -> Path:
        """The folder of our key pairs."""
        return self.keys.folder or self.data_folder / "keys"

    @property
    def passphrase_file(self) -> Path:
        """The file that unlocks them."""
        return self.keys.passphrase_file or self.key_folder / "passphrase"

    @property
    def clerks(self) -> Path:
        """The folder for clerks (Excel, browser): the only place for readable personal data, outside the data folder."""
        return self.clerk_folder or self.data_folder.with_name("clerk")

    @property
    def sent_log_file(self) -> Path:
        """The log of sent files: outside the data folder, so that restoring a backup of that does not restore an older log."""
        return self.sent_log or self.data_folder.with_name(f"{self.data_folder.name}.sent.log")

    def required_sftp(self) -> SftpSettings:
        """`[sftp]`; KR-6004 when the settings have none."""
        if self.sftp is None:
            raise RenkeiError("KR-6004")
        return self.sftp

    def required_alerts(self) -> AlertSettings:
        """`[alerts]`; KR-6009 when the settings have none."""
        if self.alerts is None:
            raise RenkeiError("KR-6009")
        return self.alerts

    @classmethod
    def load(cls, path: Path | str | None = None) -> Self:
        """Settings from `path`, else from the file that RENKEI_SETTINGS names.

        Errors: KR-6001 no such file, KR-6002 not TOML, KR-6003 a key is missing, unknown or wrong (all of them at once;
        the received value is not repeated).
        """
        chosen = path or os.environ.get(ENVIRONMENT_KEY)
        if not chosen:
            raise RenkeiError("KR-6001", path="（指定なし）", reason=f"環境変数 {ENVIRONMENT_KEY} がありません")
        file = Path(chosen).expanduser().absolute()
        try:
            data = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise RenkeiError("KR-6001", path=str(file), reason=reason_of(error)) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RenkeiError("KR-6002", path=str(file), reason=str(error)) from error
        try:
            return cls.model_validate(data, context={"folder": file.parent})
        except ValidationError as error:
            problems = "。".join(_problem(detail) for detail in error.errors(include_input=False, include_url=False))
            raise RenkeiError("KR-6003", path=str(file), problems=problems) from None


_TABLES: dict[str, type[BaseModel]] = {
    "sftp": SftpSettings,
    "keys": KeySettings,
    "sealing": SealingSettings,
    "approval": ApprovalSettings,
    "limits": LimitSettings,
    "media": MediaSettings,
    "alerts": AlertSettings,
}


def _problem(detail: ErrorDetails) -> str:
    """One wrong key in words: which, and what belongs there."""
    names = [str(part) for part in detail["loc"]]
    key = ".".join(names)
    table = _TABLES.get(names[0]) if len(names) > 1 else None
    fields = {field.alias or name: field for name, field in (table or Settings).model_fields.items()}
    field = fields.get(names[1] if table else names[0])
    if field is None:
        return f"{key}: 知らない項目です"
    fault = "ありません" if detail["type"] == "missing" else "値が正しくありません"
    return f"{key}: {fault}。書き方は{field.description or '0より大きい秒数'}"
