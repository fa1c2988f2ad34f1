"""The fault script and the certificate."""

import http.client
import ssl
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pyVim.task import WaitForTask
from pyVmomi import vim, vmodl
from pyVmomi.SoapAdapter import SoapStubAdapter

from app.domain.extents import Extent
from app.simulator.faults import FaultScript
from app.simulator.spec import License
from tests.unit.simulator.soap.lab import SPEC, Lab, reference


def test_the_nth_call_fails_as_often_as_wanted(lab: Lab) -> None:
    lab.world.faults.fail_call("CurrentTime", nth=2, fault=vim.fault.InvalidState(msg="scripted"), times=2)
    with lab.client() as instance:
        instance.CurrentTime()
        for _ in range(2):
            with pytest.raises(vim.fault.InvalidState, match="scripted"):
                instance.CurrentTime()
        instance.CurrentTime()
        assert lab.world.faults.calls("CurrentTime") == 4


def test_a_fault_can_be_made_anew_for_each_call(lab: Lab) -> None:
    lab.world.faults.fail_call("CurrentTime", fault=lambda: vmodl.fault.RequestCanceled(msg="made"))
    with lab.client() as instance, pytest.raises(vmodl.fault.RequestCanceled):
        instance.CurrentTime()


def test_a_task_can_fail_where_its_call_goes_well(lab: Lab) -> None:
    lab.add_vm("web-01")
    lab.world.faults.fail_task("CreateSnapshot_Task", nth=2, fault=vim.fault.SnapshotFault(msg="scripted"))
    with lab.client() as instance:
        vm = reference(vim.VirtualMachine, "vm-1", instance)
        states = []
        for _ in range(3):
            task = vm.CreateSnapshot_Task("s", None, False, False)
            WaitForTask(task, raiseOnError=False, log=lambda _: None)
            states.append((str(task.info.state), type(task.info.error)))
        assert [state for state, _ in states] == ["success", "error", "success"]
        assert states[1][1] is vim.fault.SnapshotFault


def test_reading_a_property_can_fail_like_any_call(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        lab.world.faults.fail_call("Fetch")
        with pytest.raises(vmodl.fault.SystemError):
            assert reference(vim.VirtualMachine, "vm-1", instance).name


def test_a_lost_answer_leaves_the_work_done(lab: Lab) -> None:
    lab.add_vm("web-01")
    lab.world.faults.lose_answer("CreateSnapshot_Task")
    with lab.client() as instance:
        vm = reference(vim.VirtualMachine, "vm-1", instance)
        with pytest.raises((http.client.HTTPException, OSError)):
            vm.CreateSnapshot_Task("s", None, False, False)
        assert len(lab.world.tasks.all()) == 1
        assert vm.name == "web-01"


def test_a_delayed_call_is_late_and_the_next_is_not(lab: Lab) -> None:
    lab.world.faults.delay_call("CurrentTime", 0.3)
    with lab.client() as instance:
        started = time.monotonic()
        instance.CurrentTime()
        assert time.monotonic() - started >= 0.3
    assert lab.world.faults.call_delay_s("CurrentTime") == 0.0


def test_a_changed_certificate_is_seen_by_new_connections_only(lab: Lab) -> None:
    with lab.client() as instance:
        before = lab.tls.thumbprint_sha256
        old_file = lab.tls.certificate_file
        lab.world.faults.change_certificate()
        assert lab.tls.thumbprint_sha256 != before
        assert instance.CurrentTime() is not None
        distrustful = SoapStubAdapter(
            "127.0.0.1", lab.server.port, path="/sdk", sslContext=ssl.create_default_context(cafile=str(old_file))
        )
        with pytest.raises(ssl.SSLCertVerificationError):
            assert vim.ServiceInstance("ServiceInstance", distrustful).content
        distrustful.DropConnections()
    with lab.client() as instance:
        assert instance.CurrentTime() is not None


def test_the_thumbprint_is_that_of_the_certificate_shown(lab: Lab) -> None:
    pem = ssl.get_server_certificate(("127.0.0.1", lab.server.port))
    assert pem.strip() == lab.tls.certificate_file.read_text().strip()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps rights otherwise")
def test_the_key_is_readable_by_its_owner_only(lab: Lab) -> None:
    (key,) = lab.directory.glob("*.key")
    assert key.stat().st_mode & 0o077 == 0


def test_the_free_license_refuses_every_change_and_no_question(tmp_path: Path) -> None:
    lab = Lab(tmp_path, replace(SPEC, license=License.FREE))
    lab.add_vm("web-01")
    lab.start()
    try:
        with lab.client() as instance:
            vm = reference(vim.VirtualMachine, "vm-1", instance)
            with pytest.raises(vim.fault.RestrictedVersion):
                vm.CreateSnapshot_Task("s", None, False, False)
            assert vm.QueryChangedDiskAreas(None, 2000, 0, "*").length == 1 << 40
            assert instance.content.licenseManager.licenses[0].editionKey == "esxBasic"
    finally:
        lab.stop()


def test_bytes_are_counted_over_all_connections_and_a_rule_fires_once() -> None:
    script = FaultScript()
    script.drop_nfc(after_bytes=100)
    script.stall_nfc(after_bytes=150, seconds=3.0)
    assert script.nfc_sent(60) is None
    dropped = script.nfc_sent(60)
    assert dropped is not None
    assert dropped.stall_s is None
    stalled = script.nfc_sent(60)
    assert stalled is not None
    assert stalled.stall_s == 3.0
    assert script.nfc_sent(1000) is None
    assert script.https_sent(1000) is None


def test_one_shot_faults_are_taken_as_often_as_scripted() -> None:
    script = FaultScript()
    script.refuse_consolidation("web-01", times=2)
    script.fail_quiesce("vm-1")
    assert [script.takes_consolidation_refusal("vm-1", "web-01") for _ in range(3)] == [True, True, False]
    assert [script.takes_quiesce_failure("vm-1", "web-01") for _ in range(2)] == [True, False]


def test_what_cbt_hides_and_what_is_full_stays_so_until_cleared() -> None:
    script = FaultScript()
    script.lie_in_cbt("web-01", 2000, Extent(65536, 65536))
    script.fill_datastore("ds1")
    assert script.omitted_extents(2000, "vm-1", "web-01") == [Extent(65536, 65536)]
    assert script.omitted_extents(2001, "vm-1", "web-01") == []
    assert script.datastore_is_full("ds1")
    script.relieve_datastore("ds1")
    assert not script.datastore_is_full("ds1")
    script.clear()
    assert script.omitted_extents(2000, "web-01") == []
