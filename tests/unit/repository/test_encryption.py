import base64
import hashlib
import re
from datetime import timedelta
from pathlib import Path

import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.progress import Progress
from app.domain.extents import Extent
from app.repository import (
    MOST_RECOVERY_SEALS,
    GarbageCollectionPolicy,
    MasterKey,
    Passphrase,
    Protection,
    RecoveryKey,
    Repository,
    RepositoryKey,
    Seal,
    Seals,
    inspect_repository,
    unlock_repository,
)
from app.repository.documents import encode_document
from app.repository.errors import KeyNeeded, KeyWrong, PointDamaged
from app.repository.recoverykeys import format_recovery_key, parse_recovery_key
from app.repository.values import KIB, MIB
from tests.support import independent_reader
from tests.unit.repository.helpers import (
    FACTS,
    SMALL,
    MemoryDisk,
    back_up,
    disk_draft,
    point_draft,
    random_bytes,
    read_back,
    read_range,
)

SECRET = b"account 4711 owes 12 euro; " * 40_000
CONTENT = random_bytes(300 * KIB) + SECRET[: 900 * KIB]
PASSPHRASE = "对的马电池钉书针"


def create(folder: Path, *, hide_names: bool = False) -> Repository:
    return Repository.create(
        folder / "standby",
        SMALL,
        local_dir=folder / "local",
        clock=SystemClock(),
        passphrase=PASSPHRASE,
        hide_names=hide_names,
    )


def reopen(folder: Path, key: RepositoryKey | None, local: str = "local") -> Repository:
    return Repository.open(folder / "standby", local_dir=folder / local, clock=SystemClock(), key=key)


def everything_at(standby: Path) -> bytes:
    """All names and all bytes at the standby."""
    names = "\n".join(str(path.relative_to(standby)) for path in standby.rglob("*")).encode()
    return names + b"".join(path.read_bytes() for path in standby.rglob("*") if path.is_file())


def test_an_encrypted_repository_stores_and_restores(tmp_path: Path) -> None:
    disk = MemoryDisk(CONTENT)
    with create(tmp_path) as repository:
        first = back_up(repository, disk)
        disk.content[1000:1010] = b"0123456789"
        second = back_up(repository, disk, [Extent(1000, 10)], number=1, parent=first.id)
    with reopen(tmp_path, Passphrase(PASSPHRASE), "another machine") as repository:
        assert repository.is_encrypted
        assert [point.id for point in repository.points().points] == [second.id, first.id]
        assert read_back(repository, first.id) == CONTENT
        assert read_back(repository, second.id) == disk.content
        assert read_range(repository, second.id, 990, 30) == disk.content[990:1020]
        report = repository.maintenance.verify_everything(progress=Progress(), cancel=CancelToken())
        assert report.whole
        assert back_up(repository, disk, number=2).stored_bytes == 0, "and finds equal chunks"


def test_nothing_of_disks_and_configuration_is_readable_at_the_standby(tmp_path: Path) -> None:
    with create(tmp_path, hide_names=True) as repository, repository.begin_point(point_draft()) as writer:
        writer.add_file("config.json", b'{"annotation": "payroll server"}')
        writer.save_changed_extents(2000, [Extent(0, MIB)], "52 de/1")
        writer.write_disk(
            disk_draft(len(CONTENT)),
            MemoryDisk(CONTENT),
            [Extent(0, len(CONTENT))],
            parent=None,
            progress=Progress(),
            cancel=CancelToken(),
        )
        point = writer.commit()
        with repository.open_point(point.id) as reader:
            assert reader.file("config.json") == b'{"annotation": "payroll server"}'
            assert reader.changed_extents(2000) == ([Extent(0, MIB)], "52 de/1")
            assert reader.point.facts == FACTS

    visible = everything_at(tmp_path / "standby")
    for secret in (
        b"account 4711",
        b"payroll",
        FACTS.name.encode(),
        b"vm-42",
        b"vcenter.example",
        "每日".encode(),
        b"Debian",
    ):
        assert secret not in visible
    assert blake3(CONTENT[: 256 * KIB]).digest() not in visible


def test_names_of_chains_stay_readable_unless_they_are_hidden(tmp_path: Path) -> None:
    with create(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        assert point.chain == "每日_BAK_vm-42_vcenter.example"
        assert repository.chain_points(repository.chain_name("每日", FACTS.vm, FACTS.platform_address)) == (point,)


def test_a_hidden_chain_is_found_again(tmp_path: Path) -> None:
    with create(tmp_path, hide_names=True) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        assert re.fullmatch("[0-9a-f]{40}", point.chain)
    with reopen(tmp_path, Passphrase(PASSPHRASE)) as repository:
        assert repository.chain_points(repository.chain_name("每日", FACTS.vm, FACTS.platform_address)) == (point,)


@pytest.mark.parametrize(
    "key", [Passphrase("wrong"), RecoveryKey("AAAA-BBBB"), MasterKey("00" * 32), MasterKey("x")]
)
def test_a_wrong_key_is_refused_before_anything_is_read_or_written(tmp_path: Path, key: RepositoryKey) -> None:
    create(tmp_path).close()
    before = everything_at(tmp_path / "standby")
    with pytest.raises(KeyWrong):
        reopen(tmp_path, key, "fresh")
    with pytest.raises(KeyNeeded):
        reopen(tmp_path, None, "fresh")
    assert everything_at(tmp_path / "standby") == before
    assert not (tmp_path / "fresh").exists()


def test_no_key_shows_in_a_representation(tmp_path: Path) -> None:
    with create(tmp_path) as repository:
        master = repository.access.master_key()
        assert master is not None
        for key in (master, Passphrase(PASSPHRASE), RecoveryKey("AAAA")):
            assert key.text not in repr(key)
        assert master.text not in repr(repository.parts)


def test_the_passphrase_can_be_changed_without_touching_the_data(tmp_path: Path) -> None:
    with create(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        packs = {path: path.read_bytes() for path in (tmp_path / "standby").rglob("*.pack")}
        repository.access.change_passphrase("another one")
        assert packs == {path: path.read_bytes() for path in (tmp_path / "standby").rglob("*.pack")}
    with pytest.raises(KeyWrong):
        reopen(tmp_path, Passphrase(PASSPHRASE))
    with reopen(tmp_path, Passphrase("another one")) as repository:
        assert read_back(repository, point.id) == CONTENT


def test_the_recovery_key_opens_until_it_is_revoked(tmp_path: Path) -> None:
    with create(tmp_path) as repository:
        printed = repository.access.add_recovery_key()
    assert re.fullmatch(r"([A-Z2-7]{4}-){13}[A-Z2-7]{4}", printed)
    with reopen(tmp_path, RecoveryKey(printed.lower().replace("-", " "))) as repository:
        repository.access.change_passphrase("forgotten the old one")
        repository.access.revoke_recovery_keys()
    with pytest.raises(KeyWrong):
        reopen(tmp_path, RecoveryKey(printed))
    reopen(tmp_path, Passphrase("forgotten the old one")).close()


def test_the_keyrings_master_key_opens_it(tmp_path: Path) -> None:
    with create(tmp_path) as repository:
        master = repository.access.master_key()
    reopen(tmp_path, master).close()


@given(st.binary(min_size=32, max_size=32), st.data())
def test_a_slip_of_the_pen_in_a_recovery_key_is_noticed(key: bytes, data: st.DataObject) -> None:
    printed = format_recovery_key(key)
    assert parse_recovery_key(printed) == key
    at = data.draw(st.sampled_from([place for place, letter in enumerate(printed) if letter != "-"]))
    letter = data.draw(st.sampled_from(sorted(set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") - {printed[at]})))
    with pytest.raises(ValueError, match="recovery key"):
        parse_recovery_key(printed[:at] + letter + printed[at + 1 :])


def test_a_hostile_key_file_cannot_ask_for_endless_work(tmp_path: Path) -> None:
    create(tmp_path).close()
    (path,) = (tmp_path / "standby" / "keys").iterdir()
    body = independent_reader.document(path.read_bytes())
    for cost in (
        {"n": 1 << 40, "r": 8, "p": 1},
        {"n": 1 << 16, "r": 1 << 20, "p": 1},
        {"n": 12345, "r": 8, "p": 1},
    ):
        path.write_bytes(encode_document({**body, "scrypt": cost}))
        with pytest.raises(KeyWrong):
            reopen(tmp_path, Passphrase(PASSPHRASE))


def test_a_point_cannot_be_moved_under_another_name(tmp_path: Path) -> None:
    with create(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(CONTENT))
        directory = tmp_path / "standby" / "points" / point.id
        directory.rename(directory.with_name("2030-01-01_00-00-00"))
        assert repository.points().points == ()
        with pytest.raises(PointDamaged, match="changed"):
            repository.open_point(repository.points().damaged[0].id)


def test_equal_content_does_not_look_equal_between_repositories(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        with create(tmp_path / name) as repository:
            digests.append(back_up(repository, MemoryDisk(CONTENT)).disks[0].root)
    assert digests[0] != digests[1]


def test_a_garbage_collection_moves_encrypted_records_as_they_are(tmp_path: Path) -> None:
    disk = MemoryDisk(random_bytes(2 * MIB, 1))
    with create(tmp_path) as repository:
        first = back_up(repository, disk)
        disk.content[: 600 * KIB] = random_bytes(600 * KIB, 2)
        second = back_up(repository, disk, number=1)
        repository.delete_point(first.id)
        policy = GarbageCollectionPolicy(grace=timedelta(0), garbage_share=0.0, small_share=2.0)
        assert repository.maintenance.collect_garbage(
            policy, progress=Progress(), cancel=CancelToken()
        ).rewritten_packs
        assert read_back(repository, second.id) == disk.content


def test_the_independent_reader_opens_what_the_document_describes(tmp_path: Path) -> None:
    with create(tmp_path) as repository:
        with repository.begin_point(point_draft()) as writer:
            writer.add_file("config.json", b"{}")
            writer.write_disk(
                disk_draft(len(CONTENT)),
                MemoryDisk(CONTENT),
                [Extent(0, len(CONTENT))],
                parent=None,
                progress=Progress(),
                cancel=CancelToken(),
            )
            point = writer.commit()
        printed = repository.access.add_recovery_key()
        master = repository.access.master_key()
    assert master is not None
    standby = tmp_path / "standby"
    identity = independent_reader.document((standby / "repository.json").read_bytes(), 2)["id"].encode()
    opened = set()
    for path in (standby / "keys").iterdir():  # from "Keys" in docs/repository-format.md alone
        file = independent_reader.document(path.read_bytes())
        salt, wrapped = bytes.fromhex(file["salt"]), bytes.fromhex(file["wrapped"])
        if file["kind"] == "passphrase":
            n, r, p = (file["scrypt"][name] for name in "nrp")
            key = hashlib.scrypt(PASSPHRASE.encode(), salt=salt, n=n, r=r, p=p, maxmem=1 << 28, dklen=32)
        else:
            letters = printed.replace("-", "")[:-4]
            key = blake3(salt, key=base64.b32decode(letters + "=" * (-len(letters) % 8))).digest()
        opened.add(AESGCM(key).decrypt(wrapped[:12], wrapped[12:], identity))
    assert opened == {bytes.fromhex(master.text)}

    reader = independent_reader.open_repository(standby, opened.pop())
    reader.restore(point.id, 2000, tmp_path / "raw")
    assert (tmp_path / "raw").read_bytes() == CONTENT
    assert reader.point(point.id)["facts"]["name"] == FACTS.name
    with pytest.raises(ValueError, match="wrong key"):
        independent_reader.open_repository(standby, b"x" * 32)


def test_what_a_passphrase_unlocked_makes_new_repositories_that_it_opens(tmp_path: Path) -> None:
    create(tmp_path).close()
    unlocked = unlock_repository(tmp_path / "standby", Passphrase(PASSPHRASE))
    assert unlocked.seal is not None
    kept = Seals.decode(Seals(unlocked.seal).encode())
    with Repository.create(
        tmp_path / "second",
        SMALL,
        local_dir=tmp_path / "local",
        clock=SystemClock(),
        protection=Protection(kept, hide_names=True),
    ) as repository:
        assert repository.access.bears(unlocked.seal)
    facts = inspect_repository(tmp_path / "second")
    assert (facts.is_encrypted, facts.hides_names) == (True, True)
    for key in (Passphrase(PASSPHRASE), kept):
        assert unlock_repository(tmp_path / "second", key).repository_id == facts.id
    masters = {unlock_repository(tmp_path / folder, kept).master for folder in ("standby", "second")}
    assert len(masters) == 2, "each has a key of its own"


def test_a_passphrase_is_added_before_the_old_one_goes(tmp_path: Path) -> None:
    new = Seal.of_passphrase("a second one")
    with create(tmp_path) as repository:
        repository.access.add_seal(new)
        repository.access.add_seal(new)
        for passphrase in (PASSPHRASE, "a second one"):
            unlock_repository(repository.root, Passphrase(passphrase))
        repository.access.keep_only_passphrase(new)
        unlock_repository(repository.root, Passphrase("a second one"))
        with pytest.raises(KeyWrong):
            unlock_repository(repository.root, Passphrase(PASSPHRASE))
        assert len(list((repository.root / "keys").iterdir())) == 1


def test_no_seal_shows_in_a_representation_and_all_of_them_fit_into_the_smallest_keyring(tmp_path: Path) -> None:
    with create(tmp_path) as repository:
        repository.access.add_recovery_key()
        assert repository.access.recovery_key_count() == 1
    recovery = tuple(Seal.of_recovery_key(bytes(32)) for _ in range(MOST_RECOVERY_SEALS))
    seals = Seals(Seal.of_passphrase(PASSPHRASE), recovery)
    for seal in seals.all:
        assert str(seal.key) not in repr(Protection(seals))
    assert len(seals.encode().encode("utf-16-le")) <= 2560, "that of Windows"
    assert Seals.decode(seals.encode()) == seals
    with pytest.raises(ValueError, match="seal"):
        Seals.decode('[["passphrase", "", null, ""]]')


def test_trying_a_key_on_a_plain_repository_is_a_wrong_key(tmp_path: Path) -> None:
    Repository.create(tmp_path / "plain", SMALL, local_dir=tmp_path / "local", clock=SystemClock()).close()
    assert not inspect_repository(tmp_path / "plain").is_encrypted
    with pytest.raises(KeyWrong):
        unlock_repository(tmp_path / "plain", Passphrase(PASSPHRASE))
