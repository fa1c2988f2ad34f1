"""Files from a hostile standby: whatever they say, we answer with an error of ours, soon and in little memory."""

import json
import tempfile
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.errors import OperationalError
from app.domain.extents import Extent
from app.repository.documents import decode_document, document_body, encode_document
from app.repository.keys import KeyFile
from app.repository.pages import PageDamaged, PageTree
from app.repository.points import ChangesFile, PointFile, restore_point
from app.repository.values import KIB
from tests.unit.repository.helpers import (
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
def test_a_point_that_lies_does_no_harm(path: tuple[str | int, ...], value: Any) -> None:
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
