"""The NFC service: its tickets, and that the disks behind them are the right ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import VmomiSupport, vim, vmodl

from app.simulator import vmomi
from app.simulator.spec import Flavour, UserSpec, VmSpec
from tests.unit.simulator.nfc.client import ErrorAnswer, NfcClient
from tests.unit.simulator.vm.conftest import SMALL
from tests.unit.simulator.vm.lab import GRAIN, VmLab, spec_of

MISSING, LOCKED, FORBIDDEN, WRITING_REFUSED = 3, 4, 0x0B, 0x0B
READER = UserSpec(
    name="reader",
    password="r",
    privileges=frozenset({"VirtualMachine.Provisioning.DiskRandomRead", "VirtualMachine.Provisioning.GetVmFiles"}),
)


_VERSION = "vim.version.version1"
_RESULTS = {"NfcGetServerNfcLibVersion": int}


def ask(lab: VmLab, method: str, si: Any = None, **arguments: Any) -> Any:
    """Call a method that pyVmomi does not know, written down from the protocols page."""
    stub = (si or lab.si)._stub
    kinds = {"vm": vim.VirtualMachine, "diskDeviceKey": int, "hostForAccess": vim.HostSystem}
    params = tuple(
        VmomiSupport.Object(name=name, type=kinds[name], version=_VERSION, flags=VmomiSupport.F_OPTIONAL)
        for name in arguments
    )
    info = VmomiSupport.Object(
        name=method,
        wsdlName=method,
        version=_VERSION,
        params=params,
        isTask=False,
        result=_RESULTS.get(method, vim.HostServiceTicket),
        resultFlags=0,
    )
    moid = "nfcService" if lab.sim.spec.is_vcenter else "ha-nfc-service"
    service = vmomi.internal_types()["NfcService"](moid, stub)
    return stub.InvokeMethod(service, info, list(arguments.values()))


def disk_ticket(lab: VmLab, name: str, key: int = 2000, *, write: bool = False) -> Any:
    method = "NfcRandomAccessOpenDisk" if write else "NfcRandomAccessOpenReadonly"
    return ask(lab, method, vm=lab.vm(name), diskDeviceKey=key)


def opened(lab: VmLab, ticket: Any) -> NfcClient:
    return NfcClient(ticket.port, ticket.sessionId, ticket.service)


@pytest.fixture(params=[Flavour.VCENTER, Flavour.ESXI], ids=["vcenter", "esxi"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VmLab]:
    """Each flavour, with a running VM and one that is off."""
    on = VmSpec(name="web-01", disks=(SMALL, SMALL))
    off = VmSpec(name="archive-01", disks=(SMALL,), powered_on=False)
    with VmLab(tmp_path, spec_of(on, off, flavour=request.param, users=(spec_of().users[0], READER))) as lab:
        yield lab


def test_a_ticket_says_where_to_go(either: VmLab) -> None:
    ticket = disk_ticket(either, "archive-01")
    is_vcenter = either.sim.spec.is_vcenter
    assert ticket.host == ("127.0.0.1" if is_vcenter else None)
    assert ticket.service == ("vpxa-nfc" if is_vcenter else "nfc")
    assert ticket.port == either.sim.nfc_port
    assert ticket.serviceVersion == "1.1"
    assert ticket.sslThumbprint == either.sim.world.host_thumbprint_sha1
    assert disk_ticket(either, "archive-01").sessionId != ticket.sessionId


def test_a_frozen_disk_is_read_while_the_vm_runs(either: VmLab) -> None:
    vm = either.vm("web-01")
    either.leaf("web-01").write(GRAIN, b"frozen")
    snapshot = either.snapshot(vm)
    either.leaf("web-01").write(GRAIN, b"thawed")
    path = snapshot.config.hardware.device
    frozen = next(part.backing.fileName for part in path if part.key == 2000)
    with opened(either, disk_ticket(either, "web-01")) as client:
        client.open_session()
        assert client.read(client.open_file(frozen), GRAIN, 6) == b"frozen"


def test_the_leaf_of_a_running_vm_is_locked(either: VmLab) -> None:
    with opened(either, disk_ticket(either, "web-01")) as client:
        client.open_session()
        with pytest.raises(ErrorAnswer) as caught:
            client.open_file("[ds1] web-01/web-01.vmdk")
        assert caught.value.code == LOCKED


def test_a_ticket_opens_its_disk_only(either: VmLab) -> None:
    for path, code in (
        ("[ds1] web-01/web-01_1.vmdk", FORBIDDEN),
        ("[ds1] archive-01/archive-01.vmdk", FORBIDDEN),
        ("[ds1] web-01/none.vmdk", MISSING),
    ):
        with opened(either, disk_ticket(either, "web-01", 2000)) as client:
            client.open_session()
            with pytest.raises(ErrorAnswer) as caught:
                client.open_file(path)
            assert caught.value.code == code
    with opened(either, ask(either, "NfcGetVmFiles", vm=either.vm("archive-01"))) as client:
        client.open_session()
        client.open_file("[ds1] archive-01/archive-01.vmdk")


def test_a_write_ticket_writes_to_a_vm_that_is_off(either: VmLab) -> None:
    path = "[ds1] archive-01/archive-01.vmdk"
    with opened(either, disk_ticket(either, "archive-01", write=True)) as client:
        client.open_session()
        handle = client.open_file(path, flags=0x1A)
        client.write(handle, GRAIN, b"restored")
        client.close_file(handle)
    assert either.leaf("archive-01").read(GRAIN, 8) == b"restored"
    with opened(either, disk_ticket(either, "archive-01")) as client:
        client.open_session()
        with pytest.raises(ErrorAnswer) as caught:
            client.open_file(path, flags=0x1A)
        assert caught.value.code == WRITING_REFUSED


def test_what_makes_no_sense_gets_no_ticket(either: VmLab) -> None:
    for key in (0, 1000, 2009):
        with either.refused(vmodl.fault.InvalidArgument) as caught:
            disk_ticket(either, "web-01", key)
        assert caught.value.invalidProperty == "diskDeviceKey"
    with either.refused(vmodl.fault.ManagedObjectNotFound):
        ask(either, "NfcGetVmFiles", vm=vim.VirtualMachine("vm-0"))


def test_a_reader_gets_no_ticket_to_write(either: VmLab) -> None:
    with either.as_user(READER) as si:
        arguments = {"vm": either.vm("archive-01"), "diskDeviceKey": 2000}
        assert ask(either, "NfcRandomAccessOpenReadonly", si, **arguments).sessionId
        with either.refused(vim.fault.NoPermission) as caught:
            ask(either, "NfcRandomAccessOpenDisk", si, **arguments)
        assert caught.value.privilegeId == "VirtualMachine.Provisioning.DiskRandomAccess"


def test_the_library_tells_its_version(either: VmLab) -> None:
    host = either.datacenter.hostFolder.childEntity[0].host[0]
    assert ask(either, "NfcGetServerNfcLibVersion", hostForAccess=host) == 11
