"""The simulator as a whole: it starts, serves every door, and leaves nothing behind."""

import http.client
import json
import os
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from pyVim.connect import SmartConnect
from pyVim.task import WaitForTask
from pyVmomi import vim

from app.core.privatefiles import write_private
from app.simulator.__main__ import main
from app.simulator.server import VSphereSimulator
from app.simulator.spec import MIB, DiskSpec, Flavour, SimulatorSpec, VmSpec, demo_spec, large_spec
from tests.unit.simulator.soap.lab import PC, values_of, vm_filter

PROJECT = Path(__file__).parents[4]
SMALL = SimulatorSpec(
    vms=(
        VmSpec(name="web-01", disks=(DiskSpec(capacity_bytes=16 * MIB),), workload_bytes_per_s=MIB),
        VmSpec(name="archive-01", disks=(DiskSpec(capacity_bytes=16 * MIB),), powered_on=False),
    )
)


@contextmanager
def client(simulator: VSphereSimulator) -> Iterator[Any]:
    instance = SmartConnect(
        host=simulator.host,
        port=simulator.port,
        user=simulator.user,
        pwd=simulator.password,
        sslContext=ssl.create_default_context(cafile=str(simulator.certificate_file)),
    )
    try:
        yield instance
    finally:
        instance._stub.DropConnections()


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[VSphereSimulator]:
    with VSphereSimulator(SMALL, tmp_path / "sim") as running:
        yield running


def test_every_simulator_has_a_password_of_its_own(simulator: VSphereSimulator, tmp_path: Path) -> None:
    assert len({simulator.password, SimulatorSpec().users[0].password, demo_spec().users[0].password}) == 3
    assert min(len(spec.users[0].password) for spec in (SimulatorSpec(), demo_spec())) >= 24
    password_file = tmp_path / "password.txt"
    write_private(password_file, simulator.password.encode())
    assert stat.S_IMODE(password_file.stat().st_mode) == (0o600 if os.name == "posix" else 0o666)


def test_a_simulator_listens_on_the_loopback_address_only(simulator: VSphereSimulator) -> None:
    ports = {simulator.port, simulator.nfc_port}
    listening = [
        found.laddr for found in psutil.Process().net_connections("inet") if found.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in listening if address.port in ports} == {"127.0.0.1"}
    assert ports <= {address.port for address in listening}


def find_vm(instance: Any, name: str) -> Any:
    content = instance.content
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
    return next(vm for vm in view.view if vm.name == name)


def download(simulator: VSphereSimulator, instance: Any, path: str) -> tuple[int, bytes]:
    """Fetch the beginning of a datastore file."""
    datastore, _, file = path.removeprefix("[").partition("] ")
    target = f"/folder/{quote(file)}?dcPath={quote(simulator.spec.datacenter)}&dsName={quote(datastore)}"
    context = ssl.create_default_context(cafile=str(simulator.certificate_file))
    connection = http.client.HTTPSConnection(simulator.host, simulator.port, context=context, timeout=20)
    try:
        connection.request("GET", target, headers={"Cookie": instance._stub.cookie, "Range": "bytes=0-511"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_a_snapshot_freezes_a_disk_that_can_then_be_downloaded(simulator: VSphereSimulator) -> None:
    with client(simulator) as instance:
        vm = find_vm(instance, "web-01")
        flat = "[ds1] web-01/web-01-flat.vmdk"
        assert download(simulator, instance, flat)[0] == 403
        task = vm.CreateSnapshot_Task("frozen", None, False, False)
        assert WaitForTask(task) == "success"
        status, sector = download(simulator, instance, flat)
        assert status == 206
        assert sector[510:512] == b"\x55\xaa"
        assert WaitForTask(task.info.result.RemoveSnapshot_Task(False)) == "success"
        assert vm.snapshot is None


def test_a_ticket_leads_to_a_port_where_authd_answers(simulator: VSphereSimulator) -> None:
    ticket = simulator.world.tickets.issue("vm-1", 2000, writable=False)
    assert simulator.world.tickets.redeem(ticket) is not None
    assert simulator.world.nfc_port == simulator.nfc_port
    certificate = ssl.get_server_certificate((simulator.host, simulator.port))
    assert certificate.strip() == simulator.certificate_file.read_text().strip()


def test_changing_the_certificate_changes_the_thumbprint(simulator: VSphereSimulator) -> None:
    before = simulator.thumbprint_sha256
    simulator.faults.change_certificate()
    assert simulator.thumbprint_sha256 != before
    with client(simulator) as instance:
        assert instance.CurrentTime() is not None


def test_a_bare_host_shows_one_certificate_at_both_doors(tmp_path: Path) -> None:
    spec = replace(SMALL, flavour=Flavour.ESXI, hosts=("esx01.lab",))
    with VSphereSimulator(spec, tmp_path / "sim") as simulator, client(simulator) as instance:
        assert instance.content.about.apiType == "HostAgent"
        pair = ssl.PEM_cert_to_DER_cert(simulator.certificate_file.read_text())
        before = simulator.world.host_thumbprint_sha1
        simulator.faults.change_certificate()
        assert simulator.world.host_thumbprint_sha1 != before
        assert ssl.PEM_cert_to_DER_cert(simulator.certificate_file.read_text()) != pair


def test_cut_connections_can_be_made_again(simulator: VSphereSimulator) -> None:
    with client(simulator) as instance:
        simulator.cut_connections()
        with pytest.raises((http.client.HTTPException, OSError)):
            instance.CurrentTime()
        assert instance.CurrentTime() is not None


def test_a_directory_that_is_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "something").write_text("precious")
    with pytest.raises(FileExistsError):
        VSphereSimulator(SMALL, tmp_path).start()
    assert (tmp_path / "something").read_text() == "precious"


def test_a_start_that_fails_leaves_nothing_running(tmp_path: Path) -> None:
    spec = replace(SMALL, vms=(*SMALL.vms, VmSpec(name="lost", host="no-such-host")))
    with pytest.raises(KeyError):
        VSphereSimulator(spec, tmp_path / "sim").start()


def test_stopping_twice_is_fine_and_starting_twice_is_not(tmp_path: Path) -> None:
    simulator = VSphereSimulator(SMALL, tmp_path / "sim")
    with pytest.raises(RuntimeError):
        assert simulator.port
    simulator.start()
    simulator.stop()
    simulator.stop()
    with pytest.raises(RuntimeError):
        simulator.start()


def test_the_demo_has_what_its_story_needs() -> None:
    for flavour in Flavour:
        vms = demo_spec(flavour=flavour).vms
        assert len(vms) >= 3
        assert any(len(vm.disks) == 2 for vm in vms)
        assert any(not vm.powered_on for vm in vms)
        assert any(vm.powered_on and vm.workload_bytes_per_s for vm in vms)


def test_thousands_of_vms_need_no_disk_and_come_page_by_page(tmp_path: Path) -> None:
    spec = large_spec(2_000)
    with VSphereSimulator(spec, tmp_path / "sim") as simulator, client(simulator) as instance:
        content = instance.content
        view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
        paths = ["name", "config.instanceUuid", "runtime.powerState", "guest.hostName"]
        collector = content.propertyCollector
        page = collector.RetrievePropertiesEx([vm_filter(view, paths)], PC.RetrieveOptions(maxObjects=500))
        found = list(page.objects)
        while page.token:
            page = collector.ContinueRetrievePropertiesEx(page.token)
            found += page.objects
        by_name = {values["name"]: values for values in map(values_of, found)}
        assert by_name.keys() == {vm.name for vm in spec.vms}
        assert len({values["config.instanceUuid"] for values in by_name.values()}) == 2_000
        assert by_name["vm-00011"]["guest.hostName"] == "vm-00011.example.com"
        assert by_name["vm-00010"]["runtime.powerState"] == "poweredOff"
        assert sum(file.stat().st_size for file in (tmp_path / "sim").rglob("*") if file.is_file()) < 1 << 20


def test_as_a_program_it_says_when_its_directory_is_in_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "something").touch()
    assert main(["--dir", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err


def test_it_runs_as_a_program_until_its_input_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app.simulator", "--dir", str(tmp_path / "sim"), "--spec", "large"]
    with subprocess.Popen(
        [*command, "--vms", "5", "--until-stdin-ends"],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        instance = SmartConnect(
            host=facts["address"],
            port=facts["port"],
            user=facts["user"],
            pwd=Path(facts["password_file"]).read_text(encoding="utf-8"),
            sslContext=ssl.create_default_context(cafile=facts["certificate_file"]),
        )
        assert instance.content.about.apiType == "VirtualCenter"
        instance._stub.DropConnections()
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        assert errors == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to wait for")
def test_as_a_program_it_ends_in_order_on_sigterm(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "app.simulator",
        "--dir",
        str(tmp_path / "sim"),
        "--spec",
        "large",
        "--vms",
        "1",
    ]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        assert errors == b""
