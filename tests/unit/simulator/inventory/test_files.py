"""Looking into datastores, changing files there, and mounting NFS exports."""

from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from tests.unit.simulator.vm.lab import KIB, MIB, VmLab, attached_disk, disks

_browser = vim.host.DatastoreBrowser


def search(lab: VmLab, path: str, **spec: Any) -> Any:
    browser = lab.datacenter.datastore[0].browser
    return lab.run(browser.SearchDatastore_Task(path, _browser.SearchSpec(**spec)))


def file_manager(lab: VmLab) -> Any:
    return lab.si.content.fileManager


def disk_manager(lab: VmLab) -> Any:
    return lab.si.content.virtualDiskManager


# ---- browsing --------------------------------------------------------------------------------------------


def test_a_directory_is_listed(lab: VmLab) -> None:
    result = search(lab, "[ds1] web-01")
    assert (result.folderPath, result.datastore.name) == ("[ds1] web-01", "ds1")
    assert [file.path for file in result.file] == [
        "web-01-flat.vmdk", "web-01.nvram", "web-01.vmdk", "web-01.vmx",
    ]  # fmt: skip


def test_a_query_picks_kinds_and_a_pattern_names(lab: VmLab) -> None:
    found = search(lab, "[ds1] web-01", query=[_browser.VmDiskQuery(), _browser.VmConfigQuery()])
    assert [(file.path, type(file).__name__.rpartition(".")[2]) for file in found.file] == [
        ("web-01.vmdk", "VmDiskInfo"),
        ("web-01.vmx", "VmConfigInfo"),
    ]
    assert [file.path for file in search(lab, "[ds1] web-01", matchPattern=["*.NVRAM"]).file] == []
    folded = search(lab, "[ds1] web-01", matchPattern=["*.NVRAM"], searchCaseInsensitive=True)
    assert [file.path for file in folded.file] == ["web-01.nvram"]
    folders = search(lab, "[ds1]", query=[_browser.FolderQuery()])
    assert [file.path for file in folders.file] == ["db-01", "web-01"]


def test_details_come_only_when_they_are_asked_for(lab: VmLab) -> None:
    lab.leaf("web-01").write(0, bytes(128 * KIB))
    plain = search(lab, "[ds1] web-01", matchPattern=["web-01.vmdk"]).file[0]
    assert (plain.fileSize, plain.modification, plain.owner) == (None, None, None)
    details = _browser.FileInfo.Details(fileSize=True, modification=True, fileOwner=True, fileType=True)
    full = search(lab, "[ds1] web-01", matchPattern=["web-01.vmdk"], details=details).file[0]
    assert (full.fileSize, full.owner) == (128 * KIB, "root")
    assert full.modification is not None


def test_subfolders_are_searched_too(lab: VmLab) -> None:
    browser = lab.datacenter.datastore[0].browser
    spec = _browser.SearchSpec(matchPattern=["*.vmx"])
    results = lab.run(browser.SearchDatastoreSubFolders_Task("[ds1]", spec))
    found = {result.folderPath: [file.path for file in result.file] for result in results}
    assert found == {"[ds1]": [], "[ds1] db-01": ["db-01.vmx"], "[ds1] web-01": ["web-01.vmx"]}


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("[ds1] nothing", vim.fault.FileNotFound),
        ("[nfs1]", vim.fault.InvalidDatastore),
        ("[ds1] ../..", vim.fault.InvalidDatastorePath),
        ("nonsense", vim.fault.InvalidDatastorePath),
    ],
)
def test_what_is_not_there_is_not_listed(lab: VmLab, path: str, fault: type[Any]) -> None:
    with lab.refused(fault):
        search(lab, path)


# ---- files -----------------------------------------------------------------------------------------------


def test_directories_and_files_are_made_copied_moved_and_deleted(lab: VmLab) -> None:
    manager = file_manager(lab)
    manager.MakeDirectory("[nfs1] a/b", None, True)
    lab.run(manager.CopyDatastoreFile_Task("[ds1] db-01/db-01.vmx", None, "[nfs1] a/b/copy.vmx", None, False))
    assert lab.file("[nfs1] a/b/copy.vmx").read_bytes() == lab.file("[ds1] db-01/db-01.vmx").read_bytes()
    with lab.refused(vim.fault.FileAlreadyExists):
        lab.run(manager.CopyDatastoreFile_Task("[ds1] db-01/db-01.vmx", None, "[nfs1] a/b/copy.vmx", None, False))
    lab.run(manager.MoveDatastoreFile_Task("[nfs1] a/b/copy.vmx", None, "[ds1] db-01/moved.vmx", None, True))
    assert not lab.file("[nfs1] a/b/copy.vmx").exists()
    used = lab.datacenter.datastore[0].summary.freeSpace
    lab.run(manager.DeleteDatastoreFile_Task("[ds1] db-01/moved.vmx", None))
    assert lab.datacenter.datastore[0].summary.freeSpace > used
    lab.run(manager.DeleteDatastoreFile_Task("[nfs1] a", None))
    assert not lab.file("[nfs1] a").exists()


def test_directories_that_cannot_be_made_are_refused(lab: VmLab) -> None:
    manager = file_manager(lab)
    for path, fault in (
        ("[ds1] web-01", vim.fault.FileAlreadyExists),
        ("[ds1] x/y", vim.fault.FileNotFound),
        ("[dsX] x", vim.fault.InvalidDatastore),
        ("[ds1] ../x", vim.fault.InvalidDatastorePath),
    ):
        with lab.refused(fault):
            manager.MakeDirectory(path, None, False)


def test_what_a_running_vm_uses_is_locked(lab: VmLab) -> None:
    for path in ("[ds1] web-01/web-01.vmdk", "[ds1] web-01/web-01-flat.vmdk", "[ds1] web-01/web-01.vmx"):
        with lab.refused(vim.fault.FileLocked):
            lab.run(file_manager(lab).DeleteDatastoreFile_Task(path, None))
    with lab.refused(vim.fault.FileLocked):
        lab.run(disk_manager(lab).DeleteVirtualDisk_Task("[ds1] web-01/web-01.vmdk", None))
    assert lab.file("[ds1] web-01/web-01.vmdk").exists()


def test_a_directory_with_a_running_vm_is_not_deleted(lab: VmLab) -> None:
    with lab.refused(vim.fault.FileLocked):
        lab.run(file_manager(lab).DeleteDatastoreFile_Task("[ds1] web-01", None))
    assert lab.file("[ds1] web-01/web-01-flat.vmdk").exists()


def test_disks_are_made_copied_extended_and_deleted(lab: VmLab) -> None:
    manager = disk_manager(lab)
    file_manager(lab).MakeDirectory("[ds1] pool", None, False)
    spec = vim.VirtualDiskManager.FileBackedVirtualDiskSpec(
        diskType="thin", adapterType="lsiLogic", capacityKb=2048
    )
    assert lab.run(manager.CreateVirtualDisk_Task("[ds1] pool/a.vmdk", None, spec)) == "[ds1] pool/a.vmdk"
    lab.sim.world.disks.open("[ds1] pool/a.vmdk").write(0, b"content")
    lab.run(manager.CopyVirtualDisk_Task("[ds1] pool/a.vmdk", None, "[nfs1] b.vmdk", None, None, False))
    assert lab.sim.world.disks.open("[nfs1] b.vmdk").read(0, 7) == b"content"
    lab.run(manager.ExtendVirtualDisk_Task("[nfs1] b.vmdk", None, 4096, False))
    assert lab.file("[nfs1] b-flat.vmdk").stat().st_size == 4 * MIB
    with lab.refused(vmodl.fault.InvalidArgument):
        lab.run(manager.ExtendVirtualDisk_Task("[nfs1] b.vmdk", None, 1024, False))
    lab.run(manager.MoveVirtualDisk_Task("[nfs1] b.vmdk", None, "[ds1] pool/c.vmdk", None, False, []))
    uuid = manager.QueryVirtualDiskUuid("[ds1] pool/c.vmdk", None).replace(" ", "").replace("-", "")
    geometry = manager.QueryVirtualDiskGeometry("[ds1] pool/c.vmdk", None)
    assert (geometry.cylinder, geometry.head, geometry.sector) == (4, 64, 32)
    lab.reconfigure(lab.vm("db-01"), attached_disk("[ds1] pool/c.vmdk"))
    assert disks(lab.vm("db-01"))[1].backing.uuid.replace("-", "") == uuid
    lab.run(manager.DeleteVirtualDisk_Task("[ds1] pool/a.vmdk", None))
    assert sorted(path.name for path in lab.file("[ds1] pool").iterdir()) == ["c-flat.vmdk", "c.vmdk"]


# ---- NFS datastores --------------------------------------------------------------------------------------


def nas(name: str = "instant", server: str = "backup.lab", path: str = "/export") -> Any:
    return vim.host.NasVolume.Specification(
        remoteHost=server, remotePath=path, localPath=name, accessMode="readWrite", type="NFS"
    )


def test_an_export_is_mounted_used_and_unmounted(lab: VmLab, tmp_path: Path) -> None:
    lab.sim.world.inventory.nas_exports[("backup.lab", "/export")] = tmp_path / "export"
    first, second = lab.datacenter.hostFolder.childEntity[0].host
    systems = [host.configManager.datastoreSystem for host in (first, second)]
    datastore = systems[0].CreateNasDatastore(nas())
    assert (datastore.name, datastore.summary.type) == ("instant", "NFS")
    assert datastore.info.nas.remoteHost == "backup.lab"
    assert [mount.key for mount in datastore.host] == [first]
    assert datastore in lab.datacenter.datastore
    assert datastore in first.datastore
    assert datastore not in second.datastore
    with lab.refused(vim.fault.AlreadyExists):
        systems[0].CreateNasDatastore(nas())
    with lab.refused(vim.fault.DuplicateName):
        systems[1].CreateNasDatastore(nas(path="/other"))
    with lab.refused(vim.fault.NotFound):
        systems[1].RemoveDatastore(datastore)
    assert systems[1].CreateNasDatastore(nas()) == datastore
    vm = lab.create("booted", datastore="instant")
    host = vm.runtime.host
    with lab.refused(vim.fault.ResourceInUse):
        host.configManager.datastoreSystem.RemoveDatastore(datastore)
    vm.UnregisterVM()
    for system in systems:
        system.RemoveDatastore(datastore)
    assert "instant" not in [left.name for left in lab.datacenter.datastore]
    assert (tmp_path / "export" / "booted" / "booted.vmx").exists()


def test_an_export_that_does_not_exist_is_not_mounted(lab: VmLab) -> None:
    host = lab.datacenter.hostFolder.childEntity[0].host[0]
    with lab.refused(vim.fault.PlatformConfigFault):
        host.configManager.datastoreSystem.CreateNasDatastore(nas())
