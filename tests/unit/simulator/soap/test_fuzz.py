"""Random damage to real requests."""

from typing import Any
from xml.etree import ElementTree

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyVmomi import VmomiSupport, vim
from pyVmomi.SoapAdapter import SoapStubAdapter

from tests.unit.simulator.soap.lab import ADMIN, PC, Lab, one_object


def requests() -> list[bytes]:
    """Return real requests, as pyVmomi writes them."""
    stub: Any = SoapStubAdapter("127.0.0.1", 1, version="vim.version.v8_0_3_0")
    find: Any = VmomiSupport.GetWsdlMethod
    disk = vim.vm.device.VirtualDisk(key=-1, capacityInKB=1024)
    change = vim.vm.device.VirtualDeviceSpec(operation="add", fileOperation="create", device=disk)
    root, options = [one_object(vim.Folder("group-d1"), ["name"])], PC.RetrieveOptions()
    calls: list[tuple[Any, str, tuple[Any, ...]]] = [
        (vim.SessionManager("SessionManager"), "Login", (ADMIN.name, "right", None)),
        (vim.VirtualMachine("vm-1"), "ReconfigVM_Task", (vim.vm.ConfigSpec(name="x", deviceChange=[change]),)),
        (vim.VirtualMachine("vm-1"), "QueryChangedDiskAreas", (vim.vm.Snapshot("snapshot-1"), 2000, 0, "*")),
        (PC("propertyCollector"), "RetrievePropertiesEx", (root, options)),
    ]
    infos = [find("urn:vim25", name).info for _, name, _ in calls]
    return [
        stub.SerializeRequest(this, info, values) for (this, _, values), info in zip(calls, infos, strict=True)
    ]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a request with some of its bytes changed, lost or doubled."""
    body = bytearray(draw(st.sampled_from(requests())))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(body) - 1)))
        length = draw(st.integers(0, 12))
        doubled = bytes(body[start : start + length]) * 2
        piece = draw(st.one_of(st.just(b""), st.binary(max_size=6), st.just(doubled)))
        body[start : start + length] = piece
    return bytes(body)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=damaged())
def test_damaged_requests_get_an_answer_that_can_be_read(lab: Lab, body: bytes) -> None:
    if not lab.vms:
        lab.add_vm("web-01")
    with lab.world.sessions.use(None) as session:
        lab.world.sessions.log_in(session, ADMIN, None)
    cookie = session.cookie
    reply = lab.server.dispatcher.answer(body, action="urn:vim25/8.0.3.0", cookie=cookie, address="127.0.0.1")
    lab.world.sessions.close(session)
    assert reply.status in (200, 500)
    assert reply.body is not None
    root = ElementTree.fromstring(reply.body)
    assert root.tag.endswith("Envelope")
    if reply.status == 500:
        assert root.find(".//faultstring") is not None
