"""The passphrase and the recovery keys of an encrypted standby machine, and where no key may get."""

import json
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from app.contract.encryption import (
    AddRecoveryKey,
    ChangePassphrase,
    DescribeEncryption,
    EncryptStandby,
    RevokeRecoveryKeys,
    UnlockStandby,
)
from app.contract.points import StartVerify
from app.contract.standbys import (
    RegisterStandby,
)
from app.domain.errors import OperationalError
from app.engine.errors import (
    NotEncrypted,
    PassphraseChanged,
    PassphraseWeak,
    RecoveryKeysFull,
)
from app.repository import MOST_RECOVERY_SEALS
from app.repository.errors import KeyWrong, RecoveryKeyIncomplete, RecoveryKeyMistyped
from app.repository.seals import Scrypt
from tests.support.engine_lab import EngineLab, MemorySecrets, filled_vm
from tests.unit.engine.encrypted_labs import (
    OTHER,
    PASSPHRASE,
    encrypted_lab,
    everything_at,
    forget_keys,
)


@pytest.fixture(autouse=True)
def _quick_derivation() -> Iterator[None]:
    with patch("app.repository.seals.COST", Scrypt(n=1024)):
        yield


# --- passphrase and recovery keys --------------------------------------------------------------------------------


def test_the_passphrase_changes_for_every_repository(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path) as lab:
        for path in ("a", "b"):
            with lab.engine.services.repositories.lease(lab.standby, path):
                pass
        with pytest.raises(PassphraseWeak):
            lab.engine.execute(ChangePassphrase(standby=lab.standby, passphrase="weak"))
        lab.engine.execute(ChangePassphrase(standby=lab.standby, passphrase=OTHER))
        with lab.engine.services.repositories.lease(lab.standby, "made afterwards"):
            pass
        forget_keys(lab)
        with pytest.raises(KeyWrong):
            lab.engine.execute(UnlockStandby(standby=lab.standby, key=PASSPHRASE))
        assert len(lab.engine.execute(UnlockStandby(standby=lab.standby, key=OTHER)).opened) == 3


def test_a_passphrase_that_could_not_be_written_everywhere_changes_nothing(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path) as lab:
        for path in ("a", "b"):
            with lab.engine.services.repositories.lease(lab.standby, path):
                pass
        keys = tmp_path / "safe" / "b" / "keys"
        keys.rename(tmp_path / "away")
        with pytest.raises(OperationalError):
            lab.engine.execute(ChangePassphrase(standby=lab.standby, passphrase=OTHER))
        (tmp_path / "away").rename(keys)
        forget_keys(lab)
        with pytest.raises(KeyWrong):
            lab.engine.execute(UnlockStandby(standby=lab.standby, key=OTHER))
        assert len(lab.engine.execute(UnlockStandby(standby=lab.standby, key=PASSPHRASE)).opened) == 2


def test_a_recovery_key_opens_everything_also_what_is_made_later_until_it_is_revoked(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path) as lab:
        sheet = lab.engine.execute(AddRecoveryKey(standby=lab.standby))
        assert sheet.key not in repr(sheet)
        lab.backup(filled_vm(lab))
        described = lab.engine.ask(DescribeEncryption(standby=lab.standby))
        assert (described.recovery_keys, described.passphrase_known) == (1, True)
        assert [(repository.target_path, repository.recovery_keys) for repository in described.repositories] == [
            ("", 1)
        ]
        forget_keys(lab)
        typed = f"  {sheet.key.lower().replace('-', ' ')} "
        done = lab.engine.execute(UnlockStandby(standby=lab.standby, key=typed))
        assert (done.opened, done.needs_passphrase) == (("",), True)
        lab.engine.execute(ChangePassphrase(standby=lab.standby, passphrase=OTHER))
        lab.engine.execute(RevokeRecoveryKeys(standby=lab.standby))
        forget_keys(lab)
        with pytest.raises(KeyWrong):
            lab.engine.execute(UnlockStandby(standby=lab.standby, key=sheet.key))
        lab.engine.execute(UnlockStandby(standby=lab.standby, key=OTHER))


def test_a_recovery_key_is_read_as_it_was_typed_and_a_slip_is_named(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path) as lab:
        key = lab.engine.execute(AddRecoveryKey(standby=lab.standby)).key
        lab.backup(filled_vm(lab))
        forget_keys(lab)
        letter = "B" if key[-1] == "A" else "A"
        with pytest.raises(RecoveryKeyMistyped, match="last four letters"):
            lab.engine.execute(UnlockStandby(standby=lab.standby, key=key[:-1] + letter))
        with pytest.raises(RecoveryKeyIncomplete, match="52 letters and digits instead of 56"):
            lab.engine.execute(UnlockStandby(standby=lab.standby, key=key[:-5]))
        typed = "\ufeff\u201c" + key.replace("-", " \u2014 ").replace("B", "8").replace("O", "0") + "\u201d"
        assert lab.engine.execute(UnlockStandby(standby=lab.standby, key=typed)).opened == ("",)


def test_there_are_only_so_many_recovery_keys(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path) as lab:
        for _ in range(MOST_RECOVERY_SEALS):
            lab.engine.execute(AddRecoveryKey(standby=lab.standby))
        with pytest.raises(RecoveryKeysFull):
            lab.engine.execute(AddRecoveryKey(standby=lab.standby))


def test_keys_of_a_standby_that_is_not_encrypted_make_no_sense(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        with pytest.raises(NotEncrypted):
            lab.engine.execute(ChangePassphrase(standby=lab.standby, passphrase=OTHER))
        with pytest.raises(NotEncrypted):
            lab.engine.execute(AddRecoveryKey(standby=lab.standby))
        with pytest.raises(NotEncrypted):
            lab.engine.execute(RevokeRecoveryKeys(standby=lab.standby))


def test_a_passphrase_changed_elsewhere_seals_no_new_repository_here(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path) as lab:
        with lab.engine.services.repositories.lease(lab.standby, "a") as repository:
            repository.access.change_passphrase(OTHER)  # what another console does
        with (
            pytest.raises(PassphraseChanged),
            lab.engine.services.repositories.lease(lab.standby, "b"),
        ):
            raise AssertionError("a repository was made with the old passphrase")
        lab.engine.execute(UnlockStandby(standby=lab.standby, key=OTHER))
        with lab.engine.services.repositories.lease(lab.standby, "b"):
            pass


# --- where no secret may be --------------------------------------------------------------------------------------


@pytest.mark.allows_log("locked")
def test_no_key_gets_into_catalog_log_events_or_representations(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    with encrypted_lab(tmp_path) as lab:
        sheet = lab.engine.execute(AddRecoveryKey(standby=lab.standby))
        point = lab.backup(filled_vm(lab))
        lab.engine.execute(ChangePassphrase(standby=lab.standby, passphrase=OTHER))
        secrets = [PASSPHRASE, OTHER, sheet.key, *keys_in(lab.secrets, lab)]
        lab.engine.execute(StartVerify(standby=lab.standby, point=point.id))
        forget_keys(lab)
        for wrong in ("a wrong passphrase", sheet.key[:-1] + ("B" if sheet.key[-1] == "A" else "A")):
            with pytest.raises(KeyWrong) as refused:
                lab.engine.execute(UnlockStandby(standby=lab.standby, key=wrong))
            assert wrong not in str(refused.value)
        events = repr(lab.events)
    commands = [
        RegisterStandby(name="x", root_path="/x", passphrase=PASSPHRASE),
        UnlockStandby(standby=lab.standby, key=sheet.key),
        EncryptStandby(standby=lab.standby, passphrase=PASSPHRASE),
        ChangePassphrase(standby=lab.standby, passphrase=OTHER),
        sheet,
    ]
    places = {
        "catalog": b"".join(path.read_bytes() for path in tmp_path.glob("catalog.db*")),
        "local": everything_at(tmp_path / "local"),
        "standby": everything_at(tmp_path / "safe"),
        "log": caplog.text.encode(),
        "events": events.encode(),
        "representations": repr(commands).encode(),
    }
    for where, content in places.items():
        for secret in secrets:
            assert secret.encode() not in content, where


def keys_in(secrets: MemorySecrets, lab: EngineLab) -> list[str]:
    """Return every key that the secret store holds, in the letters it is kept in."""
    found = [text for name, text in secrets.values.items() if name.startswith("repository/")]
    seals = json.loads(secrets.values[f"standby/{lab.standby}"])
    return found + [seal[3] for seal in seals]
