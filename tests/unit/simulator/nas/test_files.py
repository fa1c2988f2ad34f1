"""Everything that clients do with the files of a datastore works on an NFS datastore too."""

import base64
import http.client
import os
import ssl
from pathlib import Path
from typing import Any

from pyVmomi import vim

from tests.unit.simulator.nas.conftest import NFS, NasLab
from tests.unit.simulator.nas.test_running import CONTENT, put_disk, put_vm, register
from tests.unit.simulator.nfc.test_dropped_transfers import READ_WRITE
from tests.unit.simulator.vm.lab import KIB, MIB
from tests.unit.simulator.vm.test_nfc_service import disk_ticket, opened

_browser = vim.host.DatastoreBrowser


def search(lab: NasLab, path: str, **spec: Any) -> Any:
    browser = next(store for store in lab.datacenter.datastore if store.name == NFS).browser
    return lab.run(browser.SearchDatastore_Task(path, _browser.SearchSpec(**spec)))


def test_folders_and_files_are_listed(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    details = _browser.FileInfo.Details(fileSize=True, modification=True, fileOwner=True, fileType=True)
    found = search(lab, f"[{NFS}] web", details=details)
    assert [file.path for file in found.file] == ["web-flat.vmdk", "web.vmdk", "web.vmx"]
    assert found.file[0].fileSize == 4 * MIB
    assert found.file[0].modification is not None
    browser = next(store for store in lab.datacenter.datastore if store.name == NFS).browser
    results = lab.run(browser.SearchDatastoreSubFolders_Task(f"[{NFS}]", None))
    assert [result.folderPath for result in results] == [f"[{NFS}]", f"[{NFS}] web"]


def test_folders_and_files_are_made_copied_moved_and_deleted(lab: NasLab, tmp_path: Path) -> None:
    manager = lab.si.content.fileManager
    manager.MakeDirectory(f"[{NFS}] a/b", None, True)
    with lab.refused(vim.fault.FileAlreadyExists):
        manager.MakeDirectory(f"[{NFS}] a/b", None, True)
    with lab.refused(vim.fault.FileNotFound):
        manager.MakeDirectory(f"[{NFS}] no/b", None, False)
    lab.put("a/text.txt", b"text")
    lab.run(manager.CopyDatastoreFile_Task(f"[{NFS}] a/text.txt", None, f"[{NFS}] a/b/copy.txt", None, False))
    lab.run(manager.MoveDatastoreFile_Task(f"[{NFS}] a/text.txt", None, "[ds1] text.txt", None, False))
    assert lab.file("[ds1] text.txt").read_bytes() == b"text"
    assert (lab.names("a"), lab.names("a/b")) == ({"b"}, {"copy.txt"})
    put_disk(lab, tmp_path)
    lab.run(manager.MoveDatastoreFile_Task(f"[{NFS}] web/web.vmdk", None, f"[{NFS}] a/new.vmdk", None, False))
    assert lab.names("a") == {"b", "new.vmdk", "new-flat.vmdk"}
    assert b'"new-flat.vmdk"' in lab.content("a/new.vmdk")
    lab.run(manager.DeleteDatastoreFile_Task(f"[{NFS}] a", None))
    assert lab.names() == {"web"}


def test_disks_are_created_copied_extended_and_deleted(lab: NasLab) -> None:
    manager = lab.si.content.virtualDiskManager
    spec = vim.VirtualDiskManager.FileBackedVirtualDiskSpec(
        diskType="thin", adapterType="lsiLogic", capacityKb=2048
    )
    lab.run(manager.CreateVirtualDisk_Task(f"[{NFS}] a.vmdk", None, spec))
    lab.sim.world.disks.open(f"[{NFS}] a.vmdk").write(0, b"content")
    lab.run(manager.CopyVirtualDisk_Task(f"[{NFS}] a.vmdk", None, "[ds1] b.vmdk", None, None, False))
    assert lab.file("[ds1] b-flat.vmdk").read_bytes()[:7] == b"content"
    lab.run(manager.CopyVirtualDisk_Task("[ds1] b.vmdk", None, f"[{NFS}] c.vmdk", None, None, False))
    lab.run(manager.ExtendVirtualDisk_Task(f"[{NFS}] c.vmdk", None, 4096, False))
    assert lab.content("c-flat.vmdk", 4 * MIB) == b"content".ljust(4 * MIB, b"\0")
    for name in ("a", "c"):
        lab.run(manager.DeleteVirtualDisk_Task(f"[{NFS}] {name}.vmdk", None))
    assert lab.names() == set()


def request(lab: NasLab, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Send a request below ``/folder``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", lab.sim.port, context=context)
    login = base64.b64encode(f"{lab.sim.user}:{lab.sim.password}".encode()).decode()
    url = f"/folder/{path}?dcPath=Shanghai&dsName={NFS}"
    connection.request(method, url, body, {"Authorization": f"Basic {login}", **headers})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def test_files_are_up_and_downloaded(lab: NasLab, tmp_path: Path) -> None:
    put_disk(lab, tmp_path)
    assert request(lab, "GET", "web/web-flat.vmdk", Range=f"bytes={KIB}-{3 * KIB - 1}") == (
        206, CONTENT[KIB : 3 * KIB],
    )  # fmt: skip
    data = os.urandom(3 * MIB)
    assert request(lab, "PUT", "web/upload.bin", data) == (201, b"")
    assert lab.content("web/upload.bin", 4 * MIB) == data
    assert request(lab, "PUT", "web/upload.bin", b"short") == (200, b"")
    assert lab.content("web/upload.bin") == b"short"
    assert request(lab, "GET", "web/none")[0] == 404


def test_disks_are_read_and_written_over_nfc(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    vm = register(lab)
    with opened(lab, disk_ticket(lab, vm.name, write=True)) as client:
        client.open_session()
        handle = client.open_file(f"[{NFS}] web/web.vmdk", READ_WRITE)
        assert client.read(handle, 64 * KIB, 64 * KIB) == CONTENT[64 * KIB : 128 * KIB]
        client.write(handle, 3 * MIB, b"w" * 64 * KIB)
        assert client.read(handle, 3 * MIB, 64 * KIB) == b"w" * 64 * KIB
        client.close_file(handle)
        client.close_session()
    assert lab.content("web/web-flat.vmdk", 64 * KIB, 3 * MIB) == b"w" * 64 * KIB
