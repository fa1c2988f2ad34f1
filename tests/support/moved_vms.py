"""What happens to VMs on a local host outside of our doing: new ids, copies, strangers."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from app.domain.ids import VmId
from tests.support.local_host import LocalHost


def give_ids(host: LocalHost, ids: Mapping[VmId, str]) -> None:
    """Register VMs again: each gets another id, which may be one that another VM had before."""
    with host.lock:
        moved = {old: host.vms.pop(old) for old in ids}
        for vm in moved.values():
            for disk in vm.disks.values():
                (host.root / disk.file).rename(host.root / f"moving-{disk.file}")
        for old, new in ids.items():
            vm = moved[old]
            vm.id = new
            host.vms[new] = vm
            for disk in vm.disks.values():
                fresh = f"{new}-{disk.key}.raw"
                (host.root / f"moving-{disk.file}").replace(host.root / fresh)
                disk.file = fresh
        host.save()


def twin_of(host: LocalHost, root: Path) -> LocalHost:
    """Copy a whole host with its VMs and disks, as a site that was cloned."""
    with host.lock:
        host.save()
        shutil.copytree(host.root, root)
    return LocalHost.reopen(root)


def copy_of(host: LocalHost, vm: VmId, name: str) -> VmId:
    """Make a VM with the instance UUID of another, as a copied folder has that is registered."""
    copied = host.add_vm(name, [disk.capacity_bytes for disk in host.vm(vm).disks.values()])
    with host.lock:
        host.vm(copied).instance_uuid = host.vm(vm).instance_uuid
        host.save()
    return copied
