"""Descriptors that we write are those of platforms: QEMU and our own readers understand them."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.simulator.storage.descriptor import Descriptor, Geometry
from app.transport.chain.descriptor import DiskDescriptor
from app.vsphere.flat_descriptor import FlatDisk, flat_descriptor

MIB = 1024 * 1024
TIB = 1 << 40


def test_qemu_reads_the_disk_that_is_described(tmp_path: Path) -> None:
    data = os.urandom(MIB) + bytes(7 * MIB)
    (tmp_path / "磁盘-flat.vmdk").write_bytes(data)
    disk = FlatDisk(capacity_bytes=8 * MIB, data_file="磁盘-flat.vmdk")
    path = tmp_path / "磁盘.vmdk"
    path.write_bytes(flat_descriptor(disk))
    said = subprocess.run(
        ["qemu-img", "info", "--output=json", path], check=True, capture_output=True, timeout=60
    ).stdout
    info = json.loads(said)
    assert (info["format"], info["virtual-size"]) == ("vmdk", 8 * MIB)
    assert info["format-specific"]["data"]["create-type"] == "vmfs"
    raw = tmp_path / "raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", path, raw], check=True, timeout=60)
    assert raw.read_bytes() == data


@given(sectors=st.integers(1, 62 * TIB // 512), version=st.integers(0, 22), ide=st.booleans())
def test_our_reader_and_the_simulated_host_find_what_was_written(sectors: int, version: int, ide: bool) -> None:
    capacity = sectors * 512
    text = flat_descriptor(
        FlatDisk(capacity_bytes=capacity, data_file="a b-flat.vmdk", hardware_version=version, is_ide=ide)
    ).decode()
    read = DiskDescriptor.parse("a.vmdk", text)
    assert (read.capacity_bytes, read.parent_hint) == (capacity, None)
    assert [(extent.kind, extent.file_name) for extent in read.extents] == [("VMFS", "a b-flat.vmdk")]
    there = Descriptor.parse(text)
    assert (there.capacity_bytes, there.track_file, there.delta) == (capacity, None, None)
    assert there.ddb["longContentID"].endswith(there.cid)
    assert there.ddb.get("virtualHWVersion") == (str(version) if version else None)
    if not ide:
        expected = Geometry.of(capacity)
        assert int(there.ddb["geometry.cylinders"]) == expected.cylinders
        assert int(there.ddb["geometry.heads"]) == expected.heads
    assert re.fullmatch(r"60 00 c2 9[0-9a-f]( [0-9a-f]{2}){4}-[0-9a-f]{2}( [0-9a-f]{2}){7}", there.ddb["uuid"])


def test_two_descriptors_are_two_disks() -> None:
    disk = FlatDisk(capacity_bytes=MIB, data_file="x-flat.vmdk")
    first, second = (Descriptor.parse(flat_descriptor(disk).decode()) for _ in range(2))
    assert first.ddb["uuid"] != second.ddb["uuid"]
    assert first.cid != second.cid


def test_a_uuid_that_is_given_is_kept() -> None:
    disk = FlatDisk(capacity_bytes=MIB, data_file="x-flat.vmdk", uuid="6000C29a-1b2c-3d4e-5f60-718293a4b5c6")
    described = Descriptor.parse(flat_descriptor(disk).decode())
    assert described.ddb["uuid"] == "60 00 c2 9a 1b 2c 3d 4e-5f 60 71 82 93 a4 b5 c6"


@pytest.mark.parametrize("name", ["", 'a"b', "a/b", "a\\b", "a\nb", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be named"):
        flat_descriptor(FlatDisk(capacity_bytes=MIB, data_file=name))


@pytest.mark.parametrize("capacity", [0, 511, 513, -512])
def test_a_capacity_that_is_no_number_of_sectors_is_refused(capacity: int) -> None:
    with pytest.raises(ValueError, match="does not consist of sectors"):
        flat_descriptor(FlatDisk(capacity_bytes=capacity, data_file="x-flat.vmdk"))


@pytest.mark.parametrize("uuid", ["60", "6000c29a", "g" * 32, "0" * 34])
def test_what_is_no_uuid_is_refused(uuid: str) -> None:
    with pytest.raises(ValueError, match=r"UUID|hexadecimal"):
        flat_descriptor(FlatDisk(capacity_bytes=MIB, data_file="x-flat.vmdk", uuid=uuid))
