"""qemu-img reads the files, and finds them in its formats."""

import json
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.simulator.storage import DiskStore, SimDatastore, SimDisk, deltas
from tests.support.simulated import local

pytestmark = pytest.mark.qemu

CAPACITY = (24 << 20) + 512 * 7


def qemu_img(*arguments: str | Path) -> str:
    done = subprocess.run(["qemu-img", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def info(file: Path) -> dict[str, Any]:
    printed: dict[str, Any] = json.loads(qemu_img("info", "--output=json", file))
    return printed


def scribble(disk: SimDisk, random: Random) -> None:
    for _ in range(12):
        length = random.randrange(1, 150_000)
        disk.write(random.randrange(CAPACITY - length), random.randbytes(length))
    disk.write(CAPACITY - 1, random.randbytes(1))


@pytest.fixture(autouse=True, params=["vmfsSparse", "seSparse"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The format of the deltas: of the older up to 2 TB, of the newer one from 1 byte on."""
    if request.param == "seSparse":
        monkeypatch.setattr(deltas, "_LARGEST_COWD_BYTES", 0)
    return str(request.param)


def chain_of_three(store: DiskStore) -> list[SimDisk]:
    random = Random(5)
    disks = [store.create("[ds1] web/web.vmdk", CAPACITY)]
    disks[0].enable_tracking()
    for number in (1, 2):
        scribble(disks[-1], random)
        disks.append(disks[-1].branch(f"[ds1] web/web-{number:06}.vmdk"))
    scribble(disks[-1], random)
    return disks


def test_qemu_recognizes_descriptors_without_being_told_the_format(
    store: DiskStore, datastore: SimDatastore, kind: str
) -> None:
    base, child, leaf = chain_of_three(store)
    flat, delta = (
        info(local(datastore.resolve(base.path))),
        info(local(datastore.resolve(child.path))),
    )
    assert (flat["format"], flat["virtual-size"]) == ("vmdk", CAPACITY)
    assert flat["format-specific"]["data"]["create-type"] == "vmfs"
    assert (delta["format"], delta["virtual-size"]) == ("vmdk", CAPACITY)
    assert delta["format-specific"]["data"]["create-type"] == kind
    assert delta["format-specific"]["data"]["parent-cid"] == flat["format-specific"]["data"]["cid"]
    assert info(local(datastore.resolve(leaf.path)))["backing-filename"] == "web-000001.vmdk"


def test_qemu_sees_the_same_bytes_through_every_disk_of_a_chain(
    store: DiskStore, datastore: SimDatastore, tmp_path: Path
) -> None:
    for disk in chain_of_three(store):
        exported = tmp_path / f"{disk.path.name}.raw"
        disk.export_raw(exported)
        assert exported.read_bytes() == disk.read(0, CAPACITY)
        printed = qemu_img("compare", "-f", "vmdk", "-F", "raw", local(datastore.resolve(disk.path)), exported)
        assert "identical" in printed


def test_qemu_sees_the_same_bytes_after_merging_and_moving(
    store: DiskStore, datastore: SimDatastore, tmp_path: Path
) -> None:
    _, child, leaf = chain_of_three(store)
    leaf.export_raw(tmp_path / "before.raw")
    child.merge_into_parent()
    store.move("[ds1] web/web.vmdk", "[ds1] moved/web.vmdk")
    printed = qemu_img("compare", "-F", "raw", local(datastore.resolve(leaf.path)), tmp_path / "before.raw")
    assert "identical" in printed


def test_what_qemu_converts_from_a_chain_is_what_we_read(
    store: DiskStore, datastore: SimDatastore, tmp_path: Path
) -> None:
    *_, leaf = chain_of_three(store)
    qemu_img("convert", "-O", "raw", local(datastore.resolve(leaf.path)), tmp_path / "converted.raw")
    assert (tmp_path / "converted.raw").read_bytes() == leaf.read(0, CAPACITY)
