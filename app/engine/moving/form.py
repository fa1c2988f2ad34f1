"""The file of a configuration: one JSON object, described in ``docs/configuration-file.md``."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from app.contract.moving import LONGEST_FILE_BYTES
from app.contract.rules import Policy
from app.domain.hooks import Hooks
from app.domain.notifications import NotificationSettings
from app.domain.platforms import Platform
from app.domain.proofs import ProofPolicy
from app.domain.rules import AdvancedSettings, ProtectedVm
from app.domain.standbys import Standby
from app.engine.moving.errors import (
    ConfigurationChanged,
    ConfigurationDamaged,
    ConfigurationForeign,
    ConfigurationPassphraseWrong,
    ConfigurationTooLarge,
    ConfigurationTooNew,
    ConfigurationWithoutSecrets,
)
from app.secretstore.file_format import Cost, Damaged, Keys, Sealed, TooNew, WrongPassphrase

FORMAT: Final = "standfast-configuration"
VERSION: Final = 1
_BINDING: Final = "configuration"
"""Name among the sealed secrets of the checksum of what is not sealed: nobody changes one without the other."""


class RepositoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A repository at a standby machine."""

    target_path: str
    id: str
    is_encrypted: bool


class StandbyEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A standby machine."""

    standby: Standby
    repositories: tuple[RepositoryEntry, ...] = ()


class RuleEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A rule; its platform and standby are ids inside the file."""

    id: str
    name: str
    platform: str
    standby: str
    target_path: str
    vms: tuple[ProtectedVm, ...]
    advanced: AdvancedSettings
    policy: Policy
    proof: ProofPolicy
    hooks: Hooks | None = None


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an operator has set up."""

    made_at: datetime
    program: str
    host: str
    platforms: tuple[Platform, ...] = ()
    standbys: tuple[StandbyEntry, ...] = ()
    rules: tuple[RuleEntry, ...] = ()
    notifications: NotificationSettings | None = None
    hooks: Hooks | None = None
    """For rules that have none of their own."""


class _File(msgspec.Struct, frozen=True, kw_only=True):
    format: str
    version: int
    checksum: str
    configuration: msgspec.Raw
    secrets: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class Opened:
    """A file as it was read.

    Attributes:
        configuration: what is in it.
        secrets: by their names in a secret store; empty where no passphrase was given.
        has_secrets: whether there are any, open or not.
    """

    configuration: Configuration
    secrets: dict[str, str]
    has_secrets: bool

    def __repr__(self) -> str:
        return f"Opened({self.configuration!r}, …)"


def write_file(
    configuration: Configuration,
    secrets: dict[str, str] | None = None,
    passphrase: str | None = None,
    cost: Cost | None = None,
) -> bytes:
    """Return the bytes of a file; secrets are in it only with a passphrase.

    Raises:
        ConfigurationTooLarge: nobody could read it.
    """
    body = msgspec.json.format(msgspec.json.encode(configuration), indent=1)
    checksum = hashlib.sha256(body).hexdigest()
    sealed = b"null"
    if passphrase is not None:
        sealed = Keys.fresh(passphrase, cost or Cost()).seal({**(secrets or {}), _BINDING: checksum}).strip()
    file = _File(
        format=FORMAT,
        version=VERSION,
        checksum=checksum,
        configuration=msgspec.Raw(body),
        secrets=msgspec.Raw(sealed),
    )
    data = msgspec.json.encode(file) + b"\n"
    if len(data) > LONGEST_FILE_BYTES:
        raise ConfigurationTooLarge(size_bytes=len(data), most_bytes=LONGEST_FILE_BYTES)
    return data


def read_file(data: bytes, passphrase: str | None = None) -> Opened:
    """Read a file; with a passphrase its secrets too, which takes a fifth of a second.

    Raises:
        ConfigurationForeign: it is something else.
        ConfigurationTooNew: a newer version of the program wrote it.
        ConfigurationDamaged: it is not whole, or not what was written.
        ConfigurationPassphraseWrong: the passphrase is another one.
        ConfigurationWithoutSecrets: there is nothing that a passphrase could open.
        ConfigurationChanged: someone changed what is not sealed.
    """
    if len(data) > LONGEST_FILE_BYTES:
        raise ConfigurationTooLarge(size_bytes=len(data), most_bytes=LONGEST_FILE_BYTES)
    _refuse_other_forms(data)
    try:
        file = msgspec.json.decode(data, type=_File)
        body = bytes(file.configuration)
        if hashlib.sha256(body).hexdigest() != file.checksum:
            raise ConfigurationDamaged(details="the checksum does not match")
        configuration = msgspec.json.decode(body, type=Configuration)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ConfigurationDamaged(details=str(error)) from error
    has_secrets = bytes(file.secrets) != b"null"
    if passphrase is None:
        return Opened(configuration, {}, has_secrets)
    if not has_secrets:
        raise ConfigurationWithoutSecrets
    secrets = _opened(bytes(file.secrets), passphrase)
    if secrets.pop(_BINDING, "") != file.checksum:
        raise ConfigurationChanged
    return Opened(configuration, secrets, has_secrets)


def _refuse_other_forms(data: bytes) -> None:
    """Look what a file is before its parts are looked at, so that a newer one is not called damaged.

    Raises:
        ConfigurationForeign, ConfigurationTooNew, ConfigurationDamaged: it cannot be read here.
    """
    begins = data.lstrip()[:200]
    try:
        whole: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        if FORMAT.encode() in begins:
            raise ConfigurationDamaged(details=str(error)) from error
        raise ConfigurationForeign from error
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        raise ConfigurationForeign
    version = whole.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ConfigurationDamaged(details="no version")
    if version > VERSION:
        raise ConfigurationTooNew(version=version, newest=VERSION)


def _opened(sealed: bytes, passphrase: str) -> dict[str, str]:
    try:
        parsed = Sealed.parse(sealed)
        return Keys(passphrase, parsed.header).open(parsed)
    except WrongPassphrase as error:
        raise ConfigurationPassphraseWrong from error
    except TooNew as error:
        raise ConfigurationTooNew(version=error.version, newest=VERSION) from error
    except Damaged as error:
        raise ConfigurationDamaged(details=str(error)) from error
