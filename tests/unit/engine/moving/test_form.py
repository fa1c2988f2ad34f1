"""The file of a configuration: what was written is read again, and everything else is refused with a reason."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from app.contract.moving import LONGEST_FILE_BYTES
from app.domain.errors import OperationalError
from app.domain.ids import PlatformId
from app.domain.platforms import Platform
from app.engine.moving.errors import (
    ConfigurationChanged,
    ConfigurationDamaged,
    ConfigurationForeign,
    ConfigurationPassphraseWrong,
    ConfigurationTooLarge,
    ConfigurationTooNew,
    ConfigurationWithoutSecrets,
)
from app.engine.moving.form import Configuration, read_file, write_file
from app.secretstore.file_format import Cost

PASSPHRASE = "otter lamp crane seventeen"
QUICK = Cost(n=16)
PLATFORM = Platform(id=PlatformId("p1"), name="生产 vCenter", address="vc", user="u", thumbprint_sha256="AB")
WHOLE = Configuration(made_at=datetime(2026, 3, 2, tzinfo=UTC), program="0.1.0", host="old", platforms=(PLATFORM,))
SECRETS = {"platform/p1": "correct horse"}
PLAIN = write_file(WHOLE)
SEALED = write_file(WHOLE, SECRETS, PASSPHRASE, QUICK)


def changed(data: bytes, **members: Any) -> bytes:
    return json.dumps({**json.loads(data), **members}).encode()


def test_what_was_written_is_read_again() -> None:
    opened = read_file(SEALED, PASSPHRASE)
    assert (opened.configuration, opened.secrets, opened.has_secrets) == (WHOLE, SECRETS, True)
    assert (read_file(PLAIN).configuration, read_file(PLAIN).has_secrets) == (WHOLE, False)


def test_secrets_are_nowhere_in_the_clear() -> None:
    assert b"correct horse" not in SEALED
    assert PASSPHRASE.encode() not in SEALED
    assert "correct horse" not in repr(read_file(SEALED, PASSPHRASE))


def test_without_the_passphrase_everything_but_the_secrets_is_read() -> None:
    opened = read_file(SEALED)
    assert (opened.configuration, opened.secrets, opened.has_secrets) == (WHOLE, {}, True)


def test_another_passphrase_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationPassphraseWrong) as refused:
        read_file(SEALED, "another one entirely")
    assert "another one entirely" not in str(refused.value)


def test_a_passphrase_for_a_file_without_secrets_is_refused() -> None:
    with pytest.raises(ConfigurationWithoutSecrets):
        read_file(PLAIN, PASSPHRASE)


def test_who_changes_an_address_does_not_get_the_password() -> None:
    whole = json.loads(SEALED)
    whole["configuration"]["platforms"][0]["address"] = "attacker.example"
    body = json.dumps(whole["configuration"])
    sealed = json.dumps(whole["secrets"])
    checksum = hashlib.sha256(body.encode()).hexdigest()
    forged = (
        f'{{"format":"standfast-configuration","version":1,"checksum":"{checksum}",'
        f'"configuration":{body},"secrets":{sealed}}}'
    ).encode()
    assert read_file(forged).configuration.platforms[0].address == "attacker.example"
    with pytest.raises(ConfigurationChanged):
        read_file(forged, PASSPHRASE)


@pytest.mark.parametrize("at", range(1, len(PLAIN) - 1, 29))
def test_a_torn_file_is_refused(at: int) -> None:
    with pytest.raises((ConfigurationDamaged, ConfigurationForeign)):
        read_file(PLAIN[:at])


@pytest.mark.parametrize("at", range(0, len(SEALED), 23))
def test_a_changed_byte_is_never_unnoticed(at: int) -> None:
    broken = SEALED[:at] + bytes([SEALED[at] ^ 0x01]) + SEALED[at + 1 :]
    try:
        opened = read_file(broken, PASSPHRASE)
    except OperationalError:
        return
    assert (opened.configuration, opened.secrets) == (WHOLE, SECRETS)  # a blank that means nothing


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", ConfigurationForeign),
        (b"\x89PNG\r\n", ConfigurationForeign),
        (b"[]", ConfigurationForeign),
        (b'{"format": "other"}', ConfigurationForeign),
        (b"[" * 100_000, ConfigurationForeign),
        (changed(PLAIN, version=2), ConfigurationTooNew),
        (changed(PLAIN, version=2, configuration=[]), ConfigurationTooNew),
        (changed(PLAIN, version=0), ConfigurationDamaged),
        (changed(PLAIN, version=True), ConfigurationDamaged),
        (changed(PLAIN, checksum="0" * 64), ConfigurationDamaged),
        (changed(PLAIN, configuration={}), ConfigurationDamaged),
        (b" " * (LONGEST_FILE_BYTES + 1), ConfigurationTooLarge),
    ],
)
def test_what_is_no_configuration_is_named(data: bytes, error: type[OperationalError]) -> None:
    with pytest.raises(error) as refused:
        read_file(data)
    assert refused.value.hint


def test_what_nobody_could_read_is_not_written() -> None:
    huge = Configuration(made_at=WHOLE.made_at, program="x" * LONGEST_FILE_BYTES, host="")
    with pytest.raises(ConfigurationTooLarge):
        write_file(huge)
