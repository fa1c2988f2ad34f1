"""How the engine sees its machine: its UUID in two orders of bytes, and disks that are found, never guessed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.access import Attachment
from app.core.cancel import CancelToken
from app.domain.errors import TaskCancelled
from app.domain.ids import VmId
from app.transport.hotadd import machine
from app.transport.hotadd.machine import GuestMachine, NotSeen
from tests.support.platforms import posix_only
from tests.support.waiting import wait_until

pytestmark = posix_only("disks are attached to a Linux guest only")

UUID = "421f0b1c-2d3e-4f50-8192-a3b4c5d6e7f8"
TURNED = "1c0b1f42-3e2d-504f-8192-a3b4c5d6e7f8"
SERIAL = "VMware-42 1f 0b 1c 2d 3e 4f 50-81 92 a3 b4 c5 d6 e7 f8"
DISK = "6000c290-1111-2222-3333-444444444444"
DIGITS = DISK.replace("-", "")
PLACE = Attachment(
    machine=VmId("vm-1"),
    machine_uuid="i",
    machine_name="console",
    path="[ds1] web/web.vmdk",
    disk_uuid=DISK,
    bus=1,
    unit=2,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in (
        "sys/class/dmi/id",
        "dev/disk/by-id",
        "sys/class/block",
        "sys/devices",
        "sys/class/scsi_host/host1",
    ):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "sys/class/dmi/id/sys_vendor").write_text("VMware, Inc.\n", encoding="ascii")
    return tmp_path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "APPEARS_WITHIN_S", 0.5)
    monkeypatch.setattr(machine, "GONE_WITHIN_S", 0.5)
    monkeypatch.setattr(machine, "SCAN_AFTER_S", 0.1)


def firmware(root: Path, **files: str) -> GuestMachine:
    for name, text in files.items():
        (root / "sys/class/dmi/id" / name).write_text(text + "\n", encoding="ascii")
    return GuestMachine(root)


def add_disk(root: Path, name: str, *links: str, place: str = "3:0:2:0") -> Path:
    """Let the guest see a disk; return what removes it when ``1`` is written there."""
    controls = root / "sys/devices" / place
    controls.mkdir(exist_ok=True)
    (root / "sys/class/block" / name).mkdir()
    (root / "sys/class/block" / name / "device").symlink_to(f"../../../devices/{place}")
    (root / "dev" / name).touch()
    (controls / "delete").touch()
    for link in links:
        (root / "dev/disk/by-id" / link).symlink_to(f"../../{name}")
    return controls / "delete"


@contextmanager
def kernel(delete: Path, *links: Path) -> Iterator[None]:
    """Take links away once the device is told to go."""

    def run() -> None:
        wait_until(lambda: delete.read_text(encoding="ascii") == "1", what="the order to go")
        for link in links:
            link.unlink()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()


def test_the_serial_number_has_the_uuid_as_the_platform_writes_it(root: Path) -> None:
    assert firmware(root, product_serial=SERIAL, product_uuid=TURNED).bios_uuids() == (UUID,)


@pytest.mark.parametrize("shown", [UUID, TURNED.upper()])
def test_without_it_both_orders_of_bytes_are_possible(root: Path, shown: str) -> None:
    found = firmware(root, product_serial="None", product_uuid=shown).bios_uuids()
    assert set(found) == {UUID, TURNED}


def test_another_makers_machine_is_no_vm_of_vsphere(root: Path) -> None:
    with pytest.raises(NotSeen, match="not run in a VM on vSphere"):
        firmware(root, sys_vendor="QEMU", product_uuid=UUID).bios_uuids()
    with pytest.raises(NotSeen, match="not run in a VM on vSphere"):
        GuestMachine(root / "nothing").bios_uuids()


def test_a_uuid_that_may_not_be_read_is_said_with_the_remedy(root: Path) -> None:
    with pytest.raises(NotSeen, match="run as root"):
        GuestMachine(root).bios_uuids()
    with pytest.raises(NotSeen, match="run as root"):
        firmware(root, product_serial="x", product_uuid="no uuid").bios_uuids()


@pytest.mark.parametrize(
    "links", [(f"wwn-0x{DIGITS}",), (f"scsi-3{DIGITS}",), (f"wwn-0x{DIGITS}", f"scsi-3{DIGITS}")]
)
def test_a_disk_is_found_by_its_serial_number_and_place(root: Path, links: tuple[str, ...]) -> None:
    add_disk(root, "sdb", *links)
    found = GuestMachine(root).find(PLACE, CancelToken())
    assert found.device == root / "dev/sdb"
    assert found.controls == root / "sys/class/block/sdb/device"


def test_a_disk_that_comes_late_is_waited_for_and_looked_for(root: Path) -> None:
    scan = root / "sys/class/scsi_host/host1/scan"
    scan.touch()

    def driver() -> None:
        wait_until(lambda: scan.read_text(encoding="ascii") == "- - -", what="the order to scan")
        add_disk(root, "sdb", f"wwn-0x{DIGITS}")

    thread = threading.Thread(target=driver)
    thread.start()
    assert GuestMachine(root).find(PLACE, CancelToken()).device.name == "sdb"
    thread.join()


def test_a_disk_of_that_number_at_another_place_is_not_taken(root: Path) -> None:
    add_disk(root, "sdb", f"wwn-0x{DIGITS}", place="3:0:5:0")
    with pytest.raises(NotSeen, match="unit 5 and not 2"):
        GuestMachine(root).find(PLACE, CancelToken())
    with pytest.raises(NotSeen, match="unit 5 and not 2"):
        GuestMachine(root).let_go(PLACE)
    assert not (root / "sys/devices/3:0:5:0/delete").read_text(encoding="ascii")


def test_of_two_disks_with_one_number_none_is_taken(root: Path) -> None:
    add_disk(root, "sdb", f"wwn-0x{DIGITS}")
    add_disk(root, "sdc", f"scsi-3{DIGITS}", place="4:0:2:0")
    with pytest.raises(NotSeen, match="sdb, sdc"):
        GuestMachine(root).find(PLACE, CancelToken())


def test_a_name_without_a_scsi_device_is_not_taken(root: Path) -> None:
    (root / "dev/disk/by-id" / f"wwn-0x{DIGITS}").symlink_to("../../dm-0")  # as multipathd does
    with pytest.raises(NotSeen, match=r"within 0\.5 s"):
        GuestMachine(root).find(PLACE, CancelToken())


def test_waiting_for_a_disk_ends_when_the_task_is_stopped(root: Path) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(TaskCancelled):
        GuestMachine(root).find(PLACE, cancel)


def test_a_disk_is_let_go_of_before_it_is_detached(root: Path) -> None:
    delete = add_disk(root, "sdb", f"wwn-0x{DIGITS}")
    with kernel(delete, root / "dev/disk/by-id" / f"wwn-0x{DIGITS}"):
        assert GuestMachine(root).let_go(PLACE)


def test_a_kernel_that_does_not_let_go_is_noticed(root: Path) -> None:
    add_disk(root, "sdb", f"wwn-0x{DIGITS}")
    assert not GuestMachine(root).let_go(PLACE)


def test_a_disk_that_the_guest_never_saw_needs_no_letting_go(root: Path) -> None:
    assert GuestMachine(root).let_go(PLACE)
