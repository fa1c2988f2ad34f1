"""Hosts mount a volume of our NFS server, and refuse what cannot be mounted."""

from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from app.nfs import OpenFiles, Volume
from tests.unit.nfs.conftest import SECRET
from tests.unit.simulator.nas.conftest import NFS, Labs, NasLab


def test_an_export_is_mounted_over_nfs(lab: NasLab) -> None:
    datastore = lab.si.content.rootFolder.childEntity[0].datastore[-1]
    summary = datastore.summary
    assert (datastore.name, summary.type, summary.accessible) == (NFS, "NFS", True)
    assert (datastore.info.nas.remoteHost, datastore.info.nas.remotePath) == ("127.0.0.1", f"/{SECRET}")
    assert summary.capacity > summary.freeSpace > 0
    [mount] = datastore.host
    assert (mount.mountInfo.accessible, mount.mountInfo.inaccessibleReason) == (True, None)
    assert mount.mountInfo.accessMode == "readWrite"


def test_a_second_host_mounts_the_same_datastore_and_the_last_one_unmounts_it(lab: NasLab) -> None:
    [mounted] = [store for store in lab.datacenter.datastore if store.name == NFS]
    assert lab.system(1).CreateNasDatastore(lab.export()) == mounted
    mount = lab.nas().mount
    lab.system(0).RemoveDatastore(mounted)
    assert mount in lab.sim.world.nas_mounts
    lab.system(1).RemoveDatastore(mounted)
    assert mount not in lab.sim.world.nas_mounts
    assert NFS not in [store.name for store in lab.datacenter.datastore]
    assert lab.mount().name == NFS, "it can be mounted again"


def test_a_name_or_an_export_is_mounted_only_once(lab: NasLab) -> None:
    with lab.refused(vim.fault.DuplicateName) as refused:
        lab.mount(path=f"/{SECRET}/other")
    assert refused.value.name == NFS
    with lab.refused(vim.fault.AlreadyExists):
        lab.mount(name="another name")
    with lab.refused(vim.fault.DuplicateName):
        lab.system(1).CreateNasDatastore(lab.export(name="ds1"))


def test_a_server_that_cannot_be_reached(labs: Labs) -> None:
    lab = labs.make()
    lab.sim.world.nas.port = 1
    with lab.refused(vim.fault.PlatformConfigFault) as refused:
        lab.mount()
    assert "Unable to connect to NFS server" in refused.value.text
    assert not lab.sim.world.nas_mounts


def test_an_export_that_is_not_there(labs: Labs) -> None:
    lab = labs.make()
    with lab.refused(vim.fault.PlatformConfigFault) as refused:
        lab.mount(path="/nobody knows")
    assert "denied by the NFS server" in refused.value.text


def test_an_export_that_is_for_other_hosts(labs: Labs, tmp_path: Path) -> None:
    lab, files = labs.make(), OpenFiles()
    volume = Volume(tmp_path / "other", clients=frozenset({"192.0.2.1"}), disks={}, files=files)
    lab.site.server.add("0ther", volume)
    with lab.refused(vim.fault.NoPermissionOnNasVolume) as refused:
        lab.mount(path="/0ther")
    assert refused.value.name == NFS
    lab.site.server.remove("0ther")
    volume.close()
    files.close()


def test_a_host_mounts_only_so_many_exports(labs: Labs) -> None:
    lab = labs.make(nas={"most_volumes": 1})
    lab.put("web/a", b"")
    lab.mount()
    with lab.refused(vim.fault.NasConnectionLimitReached) as refused:
        lab.mount(name="more", path=f"/{SECRET}/web")
    assert refused.value.name == "more"


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"remoteHost": ""}, "spec.remoteHost"),
        ({"path": "relative"}, "spec.remotePath"),
        ({"name": "a/b"}, "spec.localPath"),
        ({"name": "x" * 43}, "spec.localPath"),
        ({"accessMode": "writeOnly"}, "spec.accessMode"),
        ({"type": "CIFS"}, "spec.type"),
    ],
)
def test_what_makes_no_sense_is_refused(labs: Labs, fields: dict[str, Any], place: str) -> None:
    lab = labs.make()
    with lab.refused(vmodl.fault.InvalidArgument) as refused:
        lab.mount(**fields)
    assert refused.value.invalidProperty == place


def test_a_folder_of_the_volume_is_mounted_by_itself(labs: Labs) -> None:
    lab = labs.make()
    lab.put("web/web.vmx", b"content")
    lab.mount(path=f"/{SECRET}/web")
    assert (lab.nas().root / "web.vmx").read_bytes() == b"content"


def test_a_host_tells_the_address_that_the_server_knows_it_by(lab: NasLab) -> None:
    host = lab.datacenter.hostFolder.childEntity[0].host[0]
    [nic] = host.config.network.vnic
    assert (nic.device, nic.spec.ip.ipAddress) == ("vmk0", "127.0.0.1")
    [use] = host.config.virtualNicManagerInfo.netConfig
    assert use.candidateVnic[0].spec.ip.ipAddress == nic.spec.ip.ipAddress
    assert nic.spec.ip.ipAddress in lab.site.volume.clients
