"""Files from a hostile standby: whatever they say, we answer with an error of ours, soon and in little memory."""

import json
import os
import sys
import tempfile
import tracemalloc
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from blake3 import blake3
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.progress import Progress
from app.domain.errors import OperationalError
from app.domain.extents import Extent
from app.repository import GarbageCollectionPolicy, Passphrase, RecoveryKey, Repository, RepositoryKey
from app.repository.configuration import RepositoryFile
from app.repository.documents import decode_document, document_body, encode_document
from app.repository.errors import KeyWrong
from app.repository.keys import KeyFile, key_file_damage
from app.repository.packs import PackDamaged, read_footer, scan_records
from app.repository.pages import PageDamaged, PageTree
from app.repository.pointfile import ChangesFile, PointFile, restore_point
from app.repository.records import RecordDamaged, parse_header
from app.repository.recoverykeys import parse_recovery_key
from app.repository.seals import Scrypt
from app.repository.values import KIB
from tests.unit.repository.helpers import (
    SMALL,
    MemoryDisk,
    disk_draft,
    open_repository,
    point_draft,
    random_bytes,
    read_range,
)

_MOST_BYTES = 64 * 1024 * 1024
_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(1 << 70), 1 << 70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=20),
        st.sampled_from(["../../x", "CON", "00" * 32, "ff" * 32, "1e999", "9" * 400]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)


def sealed(body: bytes) -> bytes:
    """Put a right checksum on any body."""
    return b'{"checksum":"' + blake3(body).hexdigest().encode() + b'","document":' + body + b"}\n"


@given(st.binary(max_size=300))
def test_rubbish_is_no_document(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"document|checksum|content"):
        decode_document(data, PointFile)


@given(_values)
def test_a_document_of_another_shape_is_refused(value: Any) -> None:
    data = sealed(json.dumps(value).encode())
    for kind in (PointFile, ChangesFile, KeyFile):
        with pytest.raises(ValueError, match="unexpected content"):
            decode_document(data, kind)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_deep_document_is_refused(opening: bytes) -> None:
    with pytest.raises(ValueError, match="unexpected content"):
        decode_document(sealed(opening * 100_000), PointFile)


def make_point(folder: Path) -> str:
    with open_repository(folder) as repository, repository.begin_point(point_draft()) as writer:
        writer.add_file("config.json", b"{}")
        writer.save_changed_extents(2000, [Extent(0, 5)], None)
        writer.write_disk(
            disk_draft(300 * KIB),
            MemoryDisk(random_bytes(300 * KIB)),
            [Extent(0, 300 * KIB)],
            parent=None,
            progress=Progress(),
            cancel=CancelToken(),
        )
        return writer.commit().id


def use_everything(folder: Path) -> None:
    """Do all that reads the standby; errors of ours are fine, anything else is not."""
    with suppress(OperationalError), open_repository(folder, local="fresh") as repository:
        for point in repository.points().points:
            disk = point.disk(2000)
            with suppress(OperationalError):
                if disk is not None:
                    read_range(repository, point.id, 0, min(1000, disk.capacity_bytes))
            with suppress(OperationalError), repository.open_point(point.id) as reader:
                for name in point.configuration_files:
                    reader.file(name)
        repository.maintenance.verify_everything(progress=Progress(), cancel=CancelToken())


@settings(max_examples=40)
@given(
    path=st.sampled_from(
        [
            ("disks", 0, "root"),
            ("disks", 0, "capacity_bytes"),
            ("disks", 0, "key"),
            ("disks",),
            ("files", 0, "name"),
            ("files", 0, "size_bytes"),
            ("files",),
            ("kind",),
            ("created_at",),
            ("chain",),
            ("facts", "name"),
            ("format",),
        ]
    ),
    value=_values,
)
def test_a_forged_point_does_no_harm(path: tuple[str | int, ...], value: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        point = make_point(folder)
        file = folder / "standby" / "points" / point / "point.json"
        body: Any = json.loads(document_body(file.read_bytes()))
        inner = body
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value
        file.write_bytes(sealed(json.dumps(body).encode()))
        tracemalloc.start()
        try:
            use_everything(folder)
            assert tracemalloc.get_traced_memory()[1] < _MOST_BYTES
        finally:
            tracemalloc.stop()


@settings(max_examples=40)
@given(
    target=st.sampled_from(["packs/*/*.pack", "points/*/*/point.json", "repository.json", "points/*/*/*/*.json"]),
    cut=st.floats(0, 1),
    junk=st.binary(max_size=200),
    keep_tail=st.booleans(),
)
def test_files_that_were_cut_and_spliced_do_no_harm(
    target: str, cut: float, junk: bytes, *, keep_tail: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_point(folder)
        file = min((folder / "standby").glob(target))
        data = file.read_bytes()
        at = int(cut * len(data))
        file.write_bytes(data[:at] + junk + (data[at + len(junk) :] if keep_tail else b""))
        use_everything(folder)


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=5), st.integers(1, 1 << 42), st.binary(max_size=100))
def test_an_index_of_any_pages_ends(digests: list[bytes], count: int, junk: bytes) -> None:
    """Even one that refers to itself: its depth is bounded by the disk's size."""
    pages = [b"".join(digests) or b"\1" * 32, junk, b"", b"\2" * 32 * 1025]
    served = 0

    def load(digest: bytes) -> bytes:
        nonlocal served
        served += 1
        return pages[digest[0] % len(pages)]

    tree = PageTree(b"\1" * 32, count, load)
    for index in (0, count // 2, count - 1):
        try:
            tree.digest(index)
        except PageDamaged:
            continue
    assert served <= 3 * tree.depth


@given(_values)
def test_a_point_description_never_yields_an_unsafe_name(value: Any) -> None:
    body = {"name": value, "size_bytes": 1, "digest": "00"}
    data = encode_document(
        {
            "format": 1, "repository": "r", "chain": "c", "stamp": "s", "rule_name": "r",
            "created_at": "2026-01-01T00:00:00Z", "kind": "full", "parent": None, "consistent": True,
            "tool_version": "1", "disks": [], "files": [body], "changes": [],
            "facts": dict.fromkeys(
                ("vm", "name", "platform_address", "datacenter", "datastore", "host", "guest"), "x"
            ) | {"instance_uuid": None, "hostname": None},
        }
    )  # fmt: skip
    try:
        point = restore_point(decode_document(data, PointFile))
    except ValueError:
        return
    for file in point.configuration_files:
        assert "/" not in file
        assert "\\" not in file
        assert file not in (".", "..")


# --- keys, settings, leases, names -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RecoveryKey]:
    """Make an encrypted repository with cheap keys."""
    folder = tmp_path_factory.mktemp("encrypted")
    with (
        patch("app.repository.seals.COST", Scrypt(n=1024)),
        Repository.create(
            folder / "standby", SMALL, local_dir=folder / "local", clock=SystemClock(), passphrase="right"
        ) as repository,
    ):
        return folder, RecoveryKey(repository.access.add_recovery_key())


def open_with(folder: Path, key: RepositoryKey) -> Repository:
    return Repository.open(folder / "standby", local_dir=folder / "local", clock=SystemClock(), key=key)


def test_every_flipped_byte_of_a_key_file_is_named_and_opens_nothing(encrypted: tuple[Path, RecoveryKey]) -> None:
    folder, recovery = encrypted
    for kind, broken_key, other_key in (
        ("passphrase", Passphrase("right"), recovery),
        ("recovery", recovery, Passphrase("right")),
    ):
        (path,) = (folder / "standby" / "keys").glob(f"{kind}-*.json")
        whole = path.read_bytes()
        for at in range(len(whole)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
            damage = dict(key_file_damage(path.parent, is_encrypted=True))
            assert f"keys/{path.name}" in damage, at
            assert ("keys" in damage) == (kind == "passphrase")
            if not at % 37:
                with pytest.raises(KeyWrong):
                    open_with(folder, broken_key)
                with open_with(folder, other_key) as repository:
                    report = repository.maintenance.verify_everything(progress=Progress(), cancel=CancelToken())
                    assert f"keys/{path.name}" in {damage.what for damage in report.damage}
        path.write_bytes(whole)
    with open_with(folder, recovery) as repository:
        assert repository.maintenance.verify_everything(progress=Progress(), cancel=CancelToken()).whole


@given(
    member=st.sampled_from(["format", "kind", "salt", "scrypt", "wrapped", "created_at"]),
    value=st.one_of(
        _values,
        st.fixed_dictionaries({"n": st.integers(-1, 1 << 70), "r": st.integers(), "p": st.integers()}),
    ),
)
def test_a_forged_key_file_opens_nothing_and_costs_nothing(
    encrypted: tuple[Path, RecoveryKey], member: str, value: Any
) -> None:
    folder, recovery = encrypted
    source = next((folder / "standby" / "keys").glob("passphrase-*.json"))
    body = json.loads(document_body(source.read_bytes()))
    if member == "scrypt" and isinstance(value, dict) and 1 << 16 < value.get("n", 0) <= 1 << 20:
        value["n"] = 1 << 16  # bearable, and slow
    body[member] = value
    liar = source.with_name("passphrase-0.json")
    liar.write_bytes(sealed(json.dumps(body).encode()))
    try:
        for key in (Passphrase("wrong"), recovery):
            with suppress(KeyWrong):
                open_with(folder, key).close()
        key_file_damage(liar.parent, is_encrypted=True)
    finally:
        liar.unlink()


@settings(max_examples=40)
@given(st.sampled_from(sorted(RepositoryFile.__struct_fields__)), _values)
def test_settings_that_lie_are_refused(member: str, value: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        open_repository(folder).close()
        file = folder / "standby" / "repository.json"
        body = json.loads(document_body(file.read_bytes()))
        body[member] = value
        file.write_bytes(sealed(json.dumps(body).encode()))
        use_everything(folder)


@settings(max_examples=40)
@given(
    folder=st.sampled_from(
        ["trash", "trash/chain", "points", "points/chain", "locks", "staging", "keys", "packs/ab"]
    ),
    name=st.one_of(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40),
        st.from_regex(r"[0-9_-]{19}\.[0-9]{1,40}", fullmatch=True),
        st.sampled_from(["2026-11-22_09-00-00.999999999999", "2026-11-22_09-00-00.1", "9999-99-99_99-99-99.5"]),
        st.from_regex(r"[0-9a-f]{32}\.(lease|new|waiting|pack|json)", fullmatch=True),
    ),
    content=st.one_of(st.none(), st.binary(max_size=200), st.just(Path(os.sep) / "etc")),
)
def test_names_of_any_kind_do_no_harm(folder: str, name: str, content: bytes | Path | None) -> None:
    """Directories, files and links, whatever they are called, wherever they lie."""
    assume(folder != "locks" or not name.endswith(".lease"))  # one that cannot be read is waited for
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary)
        make_point(base)
        outside = base / "outside"
        (outside / "sub").mkdir(parents=True)
        (outside / "sub" / "file").write_bytes(b"precious")
        path = base / "standby" / folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        with suppress(OSError, ValueError):  # a name that the file system does not take
            if content is None:
                path.mkdir()
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.symlink_to(outside, target_is_directory=True)
        use_everything(base)
        with suppress(OperationalError), open_repository(base, local="fresh") as repository:
            repository.deleted_points()
            for point in repository.points().points:
                repository.delete_point(point.id)
            repository.maintenance.collect_garbage(
                GarbageCollectionPolicy(grace=timedelta(0)), progress=Progress(), cancel=CancelToken(), wait_s=0
            )
        assert (outside / "sub" / "file").read_bytes() == b"precious"
        assert sorted(path.name for path in outside.rglob("*")) == ["file", "sub"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_no_pack_is_fetched_through_a_link_in_the_staging_area(tmp_path: Path) -> None:
    make_point(tmp_path)
    (pack,) = (tmp_path / "standby").glob("packs/*/*.pack")
    outside = tmp_path / "outside"
    outside.mkdir()
    pack.rename(outside / pack.name)
    (tmp_path / "standby" / "staging" / "link").symlink_to(outside, target_is_directory=True)
    with open_repository(tmp_path) as repository, repository.begin_point(point_draft(1)):
        assert (outside / pack.name).exists()
        assert not (tmp_path / "standby" / "staging" / "link").is_symlink()


@given(st.binary(max_size=300))
def test_rubbish_is_no_pack_and_no_record(data: bytes) -> None:
    with suppress(RecordDamaged):
        parse_header(data)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / f"{'0' * 32}.pack"
        path.write_bytes(data)
        with pytest.raises(PackDamaged):
            read_footer(path, bytes(16))
        assert list(scan_records(path, lambda _record: True)) == []


@given(st.text(max_size=120))
def test_what_was_typed_is_a_recovery_key_or_is_refused(text: str) -> None:
    with suppress(ValueError):
        parse_recovery_key(text)
