"""Which datastore is a mount of ours, and what a host's fault may say of it."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from app.core.nfshosting import NfsMount
from app.vsphere.nfs_faults import mount_reason, without_path
from app.vsphere.nfs_mounts import is_of

PATH = "/5f0c2b4ce5d84f1aa7d1b6f1d0d7c1aa"


def info(server: str = "10.0.0.9", path: str = PATH, names: tuple[str, ...] = ()) -> Any:
    volume = vim.host.NasVolume(
        name="x", type="NFS", capacity=1, remoteHost=server, remotePath=path, remoteHostNames=list(names)
    )
    return vim.host.NasDatastoreInfo(name="x", url="", freeSpace=1, maxFileSize=1, nas=volume)


def mount(server: str = "10.0.0.9") -> NfsMount:
    return NfsMount(server=server, path=PATH, name="Standfast")


@pytest.mark.parametrize(
    ("datastore", "server"),
    [
        (info(), "10.0.0.9"),
        (info("backup.lab"), "BACKUP.lab"),
        (info("", names=("other", "10.0.0.9")), "10.0.0.9"),
        (info("[fd00::0:1]"), "fd00::1"),
    ],
)
def test_same_server_and_path_are_the_same_mount(datastore: Any, server: str) -> None:
    assert is_of(datastore, mount(server))


@pytest.mark.parametrize(
    "datastore", [info("10.0.0.8"), info(path=PATH + "/"), info(path="/"), vim.host.VmfsDatastoreInfo(), None]
)
def test_anything_else_is_another_one(datastore: Any) -> None:
    assert not is_of(datastore, mount())


def test_path_is_in_no_part_of_a_fault_any_more() -> None:
    line = vmodl.LocalizableMessage(
        key="x", message=f"mount {PATH} failed", arg=[vmodl.KeyAnyValue(key="1", value=PATH)]
    )
    inner = vim.fault.NasConfigFault(msg=f"of {PATH}", name="x")
    fault = vim.fault.HostConfigFailed(msg=PATH, faultMessage=[line], failure=[inner])
    fault.faultCause = vim.fault.NasVolumeNotMounted(name="x", remoteHost="h", remotePath=PATH)
    without_path(fault, PATH)
    assert PATH not in str(fault)


def test_fault_that_says_nothing_known_keeps_its_own_words() -> None:
    reason = mount_reason(vim.fault.PlatformConfigFault(msg="主机配置出错", text="错误 16"))
    assert str(reason) == "the host could not carry out the change of its configuration"
    assert "错误 16" in reason.details
