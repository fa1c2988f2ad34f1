"""The SearchIndex: finds entities by what identifies them."""

from collections.abc import Callable, Iterable
from typing import Any

from pyVmomi import vim

from app.simulator.calls import Call
from app.simulator.objects import SimObject
from app.simulator.views import children
from app.simulator.wellknown import well_known
from app.simulator.world import WorldObject

_NOT_IN_PATHS = (vim.ResourcePool,)


class SimSearchIndex(WorldObject):
    """The SearchIndex. Every search looks at all VMs or hosts; nothing is found of what does not exist."""

    vim_type = vim.SearchIndex

    def FindByUuid(
        self, call: Call, *, datacenter: Any, uuid: str, vmSearch: bool, instanceUuid: bool | None
    ) -> Any:
        """Return the VM or host with a BIOS UUID, or the VM with an instance UUID."""
        return _first(self._by_uuid(datacenter, uuid, vm=vmSearch, instance=bool(instanceUuid)))

    def FindAllByUuid(
        self, call: Call, *, datacenter: Any, uuid: str, vmSearch: bool, instanceUuid: bool | None
    ) -> list[Any]:
        """Return all VMs or hosts with a UUID."""
        return list(self._by_uuid(datacenter, uuid, vm=vmSearch, instance=bool(instanceUuid)))

    def FindByDnsName(self, call: Call, *, datacenter: Any, dnsName: str, vmSearch: bool) -> Any:
        """Return the VM whose guest reports this name, or the host that is called so."""
        return _first(self._by_dns(datacenter, dnsName, vm=vmSearch))

    def FindAllByDnsName(self, call: Call, *, datacenter: Any, dnsName: str, vmSearch: bool) -> list[Any]:
        """Return all VMs or hosts with a DNS name."""
        return list(self._by_dns(datacenter, dnsName, vm=vmSearch))

    def FindByIp(self, call: Call, *, datacenter: Any, ip: str, vmSearch: bool) -> Any:
        """Return the VM whose guest reports this address."""
        return _first(self._by_ip(datacenter, ip, vm=vmSearch))

    def FindAllByIp(self, call: Call, *, datacenter: Any, ip: str, vmSearch: bool) -> list[Any]:
        """Return all VMs whose guest reports this address."""
        return list(self._by_ip(datacenter, ip, vm=vmSearch))

    def FindByDatastorePath(self, call: Call, *, datacenter: Any, path: str) -> Any:
        """Return the VM whose configuration file is at a datastore path."""
        self.world.get(datacenter)
        return _first(self._matching(vim.VirtualMachine, datacenter, lambda obj: _vmx_path(obj) == path))

    def FindByInventoryPath(self, call: Call, *, inventoryPath: str) -> Any:
        """Return the entity at a path such as ``Shanghai/vm/Production/web-01``; slashes in names are ``%2f``."""
        with self.world.lock:
            names = [part for part in inventoryPath.split("/") if part]
            root = self.world.get(well_known(self.world.spec.flavour).rootFolder)
            found: SimObject | None = root if names else None
            for name in names:
                found = self._child(found, name) if found is not None else None
            return found.ref if found is not None else None

    def FindChild(self, call: Call, *, entity: Any, name: str) -> Any:
        """Return what is directly inside an entity under a name."""
        with self.world.lock:
            found = self._child(self.world.get(entity), name)
            return found.ref if found is not None else None

    def _child(self, parent: SimObject, name: str) -> SimObject | None:
        direct = children(self.world, parent)
        # pools carry no name in a path: "host/cluster/esx01" goes to the host; a pool is found by its own name
        ordered = sorted(direct, key=lambda obj: issubclass(obj.vim_type, _NOT_IN_PATHS))
        return next((child for child in ordered if child.get("name") == name), None)

    def _by_uuid(self, datacenter: Any, uuid: str, *, vm: bool, instance: bool) -> Iterable[Any]:
        path = ("config.instanceUuid" if instance else "config.uuid") if vm else "hardware.systemInfo.uuid"
        wanted = uuid.casefold()
        return self._matching(_kind(vm=vm), datacenter, lambda obj: str(obj.get(path) or "").casefold() == wanted)

    def _by_dns(self, datacenter: Any, name: str, *, vm: bool) -> Iterable[Any]:
        path = "guest.hostName" if vm else "name"
        wanted = name.casefold()
        return self._matching(_kind(vm=vm), datacenter, lambda obj: str(obj.get(path) or "").casefold() == wanted)

    def _by_ip(self, datacenter: Any, ip: str, *, vm: bool) -> Iterable[Any]:
        return self._matching(_kind(vm=vm), datacenter, lambda obj: vm and obj.get("guest.ipAddress") == ip)

    def _matching(self, kind: type[Any], datacenter: Any, matches: Callable[[SimObject], bool]) -> Iterable[Any]:
        if datacenter is not None:
            self.world.get(datacenter)
        with self.world.lock:
            candidates = [obj for obj in self.world.objects.values() if issubclass(obj.vim_type, kind)]
        for candidate in candidates:
            with self.world.lock:
                hit = matches(candidate)
            if hit:
                yield candidate.ref


def _kind(*, vm: bool) -> type[Any]:
    return vim.VirtualMachine if vm else vim.HostSystem


def _first(found: Iterable[Any]) -> Any:
    return next(iter(found), None)


def _vmx_path(vm: SimObject) -> Any:
    return vm.get("config.files.vmPathName")
