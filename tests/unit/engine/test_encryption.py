"""Encrypted standby machines: what the operator asks for, and what lies where afterwards."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest

from app.contract.encryption import (
    ChangePassphrase,
    EncryptStandby,
    UnlockStandby,
)
from app.contract.points import ListPoints
from app.contract.standbys import (
    RegisterStandby,
    RemoveStandby,
    StartGarbageCollection,
)
from app.domain.errors import OperationalError
from app.domain.history import LogSearch
from app.domain.ids import StandbyId
from app.domain.standbys import EncryptionMode
from app.domain.states import TaskState
from app.engine.errors import (
    EncryptionMissing,
    NothingToUnlock,
    PassphraseNeeded,
    PassphraseWeak,
    PlainDataThere,
)
from app.repository import Repository
from app.repository.configuration import RepositoryFile
from app.repository.documents import decode_document, encode_document
from app.repository.errors import KeyNeeded, KeyWrong
from app.repository.seals import Scrypt
from tests.support.engine_lab import EngineLab, filled_vm
from tests.support.waiting import wait_until
from tests.unit.engine.encrypted_labs import (
    OTHER,
    PASSPHRASE,
    backup_error,
    encrypted,
    encrypted_lab,
    everything_at,
    forget_keys,
    look_again,
    row_of,
)


@pytest.fixture(autouse=True)
def _quick_derivation() -> Iterator[None]:
    with patch("app.repository.seals.COST", Scrypt(n=1024)):
        yield


# --- turning it on -----------------------------------------------------------------------------------------------


def test_backups_to_an_encrypted_standby_are_restored_verified_and_cleared_of_garbage(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path) as lab:
        vm = filled_vm(lab)
        first = lab.backup(vm)
        lab.host.write(vm, 2000, 5000, b"later")
        second = lab.backup(vm)
        assert lab.verify(second).task.state is TaskState.COMPLETED
        collection = lab.finished(lab.engine.execute(StartGarbageCollection(standby=lab.standby)))
        assert collection.task.state is TaskState.COMPLETED
        assert lab.content(first.id)[5000:5005] != b"later"
        assert lab.content(second.id)[5000:5005] == b"later"
        with lab.repository() as repository:
            assert repository.is_encrypted
        assert all(point.is_encrypted for point in lab.engine.ask(ListPoints(standby=lab.standby)))
        row = row_of(lab, lab.standby)
        assert (row.encryption, row.locked, row.is_encrypted) == (EncryptionMode.CONTENTS, None, True)
        assert not row_of(lab, StandbyId(lab.catalog.standbys.all()[1].id)).is_encrypted


def test_every_repository_of_the_standby_has_a_key_of_its_own_and_one_passphrase(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path) as lab:
        with (
            lab.engine.services.repositories.lease(lab.standby, "a") as lease,
            lab.engine.services.repositories.lease(lab.standby, "b/c") as other,
        ):
            assert lease.access.master_key() != other.access.master_key()
        forget_keys(lab)
        assert lab.engine.execute(UnlockStandby(standby=lab.standby, key=PASSPHRASE)).opened == ("a", "b/c")


def test_with_hidden_names_nothing_tells_what_is_backed_up(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path, hide_names=True) as lab:
        vm = filled_vm(lab, name="payroll")
        lab.host.write(vm, 2000, 0, b"account 4711 owes 12 euro; " * 10_000)
        lab.backup(vm)
        visible = everything_at(tmp_path / "safe")
        for secret in (b"account 4711", b"payroll", b"nightly", lab.host.address.encode(), f"_{vm}_".encode()):
            assert secret not in visible
        assert lab.backup(vm).parent is not None, "the chain is found again"


@pytest.mark.parametrize("passphrase", ["", "short", "aaaaaaaaaaaaaaaaaaaa", "Password1234"])
def test_a_weak_passphrase_is_refused_and_nothing_is_remembered(tmp_path: Path, passphrase: str) -> None:
    with EngineLab(tmp_path) as lab:
        with pytest.raises(PassphraseWeak):
            lab.engine.execute(
                RegisterStandby(name="safe", root_path=str(tmp_path / "safe"), passphrase=passphrase)
            )
        assert [standby.name for standby in lab.catalog.standbys.all()] == ["standby"]
        assert not (tmp_path / "safe").exists()


def test_a_standby_with_plain_data_is_not_encrypted_behind_its_back(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        lab.backup(filled_vm(lab))
        with pytest.raises(PlainDataThere) as refused:
            lab.engine.execute(EncryptStandby(standby=lab.standby, passphrase=PASSPHRASE))
        assert f"{os.sep}standby holds restore points that are not encrypted, in /." in refused.value.message
        lab.engine.execute(RemoveStandby(standby=lab.standby))
        with pytest.raises(PlainDataThere):
            encrypted(lab, tmp_path / "standby")


def test_an_empty_standby_can_be_encrypted_later(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        lab.engine.execute(EncryptStandby(standby=lab.standby, passphrase=PASSPHRASE, hide_names=True))
        point = lab.backup(filled_vm(lab, name="payroll"))
        assert "payroll" not in point.chain
        with pytest.raises(OperationalError, match="already"):
            lab.engine.execute(EncryptStandby(standby=lab.standby, passphrase=OTHER))


# --- without the key ---------------------------------------------------------------------------------------------


@pytest.mark.allows_log("locked")
def test_without_its_key_tasks_and_states_say_so_until_it_is_unlocked(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path) as lab:
        vm = filled_vm(lab)
        point = lab.backup(vm)
        forget_keys(lab)
        locked = row_of(lab, lab.standby).locked
        assert locked is not None
        assert locked.code == "repository.key_needed"
        assert "Unlock" in locked.hint
        report = lab.verify(point)
        assert report.task.state is TaskState.FAILED
        assert report.task.error is not None
        assert report.task.error.code == "repository.key_needed"
        assert backup_error(lab) == "repository.key_needed"

        before = everything_at(tmp_path / "safe")
        with pytest.raises(KeyWrong):
            lab.engine.execute(UnlockStandby(standby=lab.standby, key="wrong"))
        assert everything_at(tmp_path / "safe") == before
        assert set(lab.secrets.values) == {f"platform/{lab.platform}"}

        done = lab.engine.execute(UnlockStandby(standby=lab.standby, key=PASSPHRASE))
        assert (done.opened, done.locked, done.point_count, done.needs_passphrase) == (("",), (), 1, False)
        look_again(lab)
        assert row_of(lab, lab.standby).locked is None
        assert lab.verify(point).task.state is TaskState.COMPLETED
        lab.backup(vm)


@pytest.mark.allows_log("is not read|locked")
def test_another_workstation_takes_an_encrypted_standby_in(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path / "one", hide_names=True) as lab:
        point = lab.backup(filled_vm(lab))
    root = tmp_path / "one" / "safe"
    with EngineLab(tmp_path / "two") as lab:
        taken = lab.engine.execute(RegisterStandby(name="taken in", root_path=str(root)))
        assert taken.encryption is EncryptionMode.NAMES, "what is made there later is like what lies there"
        look_again(lab)
        assert row_of(lab, taken.id).locked is not None
        assert lab.engine.execute(UnlockStandby(standby=taken.id, key=PASSPHRASE)).point_count == 1
        lab.standby = taken.id
        assert lab.listed() == [point.id]
        with lab.engine.services.repositories.lease(taken.id, "new") as repository:
            assert repository.hides_names
        lab.engine.execute(RemoveStandby(standby=taken.id))
        assert set(lab.secrets.values) == {f"platform/{lab.platform}"}, "its keys are forgotten with it"
        again = lab.engine.execute(RegisterStandby(name="again", root_path=str(root), passphrase=PASSPHRASE))
        assert row_of(lab, again.id).point_count == 1
        lab.engine.execute(RemoveStandby(standby=again.id))
        with pytest.raises(KeyWrong):
            lab.engine.execute(RegisterStandby(name="again", root_path=str(root), passphrase=OTHER))
        assert "again" not in [standby.name for standby in lab.catalog.standbys.all()]


def test_an_encrypted_standby_without_repositories_and_without_keys_gets_a_new_passphrase(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path) as lab:
        lab.secrets.delete(f"standby/{lab.standby}")
        assert backup_error(lab) == PassphraseNeeded.code
        with pytest.raises(NothingToUnlock):
            lab.engine.execute(UnlockStandby(standby=lab.standby, key=PASSPHRASE))
        lab.engine.execute(ChangePassphrase(standby=lab.standby, passphrase=OTHER))
        lab.backup(filled_vm(lab))


def test_only_some_repositories_may_have_the_passphrase_that_was_typed(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path) as lab:
        repositories = lab.engine.services.repositories
        for path in ("a", "b"):
            with repositories.lease(lab.standby, path) as repository:
                if path == "b":
                    repository.access.change_passphrase(OTHER)
        forget_keys(lab)
        first = lab.engine.execute(UnlockStandby(standby=lab.standby, key=OTHER))
        assert (first.opened, first.locked) == (("b",), ("a",))
        with pytest.raises(KeyNeeded):
            lab.engine.execute(ChangePassphrase(standby=lab.standby, passphrase="never said before 17"))
        second = lab.engine.execute(UnlockStandby(standby=lab.standby, key=PASSPHRASE))
        assert (second.opened, second.locked) == (("a",), ("b",)), "tried by what was typed alone"
        for path in ("a", "b"):
            with repositories.lease(lab.standby, path):
                pass


# --- whoever controls the standby --------------------------------------------------------------------------------


def test_a_plain_repository_in_the_place_of_an_encrypted_one_is_refused(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path) as lab:
        lab.backup(filled_vm(lab))
        settings = tmp_path / "safe" / "repository.json"
        original = settings.read_bytes()
        for told in (replace_encryption(original, None), plain_repository(tmp_path / "plain", lab)):
            settings.write_bytes(told)
            before = everything_at(tmp_path / "safe")
            assert backup_error(lab) in (EncryptionMissing.code, "engine.wrong_repository")
            assert everything_at(tmp_path / "safe") == before
        shutil.copytree(tmp_path / "plain", tmp_path / "safe" / "new")
        with (
            pytest.raises(EncryptionMissing),
            lab.engine.services.repositories.lease(lab.standby, "new"),
        ):
            raise AssertionError("a plain repository was opened")


def test_a_repository_that_no_longer_hides_names_is_refused(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path, hide_names=True) as lab:
        lab.backup(filled_vm(lab, name="payroll"))
        settings = tmp_path / "safe" / "repository.json"
        settings.write_bytes(replace_encryption(settings.read_bytes(), hidden_names=False))
        assert backup_error(lab) == EncryptionMissing.code


def replace_encryption(document: bytes, encryption: None = None, *, hidden_names: bool | None = None) -> bytes:
    """Return ``repository.json`` as somebody at the standby would change it."""
    file = decode_document(document, RepositoryFile)
    if hidden_names is None:
        return encode_document(msgspec.structs.replace(file, encryption=encryption))
    assert file.encryption is not None
    changed = msgspec.structs.replace(file.encryption, hidden_names=hidden_names)
    return encode_document(msgspec.structs.replace(file, encryption=changed))


def plain_repository(root: Path, lab: EngineLab) -> bytes:
    """Make a repository without encryption and return its ``repository.json``."""
    Repository.create(root, local_dir=lab.directory / "local", clock=lab.clock).close()
    return (root / "repository.json").read_bytes()


@pytest.mark.allows_log("locked")
def test_the_log_tells_once_that_a_standby_is_locked(tmp_path: Path) -> None:
    with encrypted_lab(tmp_path) as lab:
        lab.backup(filled_vm(lab))
        forget_keys(lab)
        look_again(lab)

        def told() -> list[str]:
            page = lab.catalog.log.page(LogSearch(), limit=1000)
            return [entry.code for entry in page.entries if entry.code == "standby.locked"]

        wait_until(lambda: bool(told()), deadline_s=10)
        look_again(lab)
        assert told() == ["standby.locked"]
