"""Where a VM is created: the choice among what a platform has, as a pure function."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.domain.messages import Message, Param
from app.domain.vms import VmPlacement
from app.vsphere.deviations import (
    DATASTORE_MISSING,
    FOLDER_MISSING,
    OWN_FOLDER,
    POOL_MISSING,
    POOLS_AMBIGUOUS,
    WAS_IN_VAPP,
)
from app.vsphere.hardware_versions import newest_version, number_of
from app.vsphere.names import escaped
from app.vsphere.offer import Datacenter, Host, Network, PlatformOffer, VApp, listed, named
from app.vsphere.reasons import (
    DATACENTER_AMBIGUOUS,
    HOST_AMBIGUOUS,
    HOST_AWAY,
    HOST_AWAY_IN,
    NAMESAKE,
    NO_DATACENTER,
    NO_FOLDER,
    NO_HOST,
    NO_HOST_WITH_DATASTORE,
    NO_OWN_DATACENTER,
    NO_OWN_DATASTORE,
    SEVERAL_OWN_DATACENTERS,
    Unsuitable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a saved VM came from."""

    datacenter: str
    folder: tuple[str, ...]
    host: str
    resource_pool: str
    datastore: str
    disk_datastores: Mapping[int, str]
    """Datastore of each disk, by device key."""
    datacenter_id: str = ""
    datacenter_path: str = ""
    folder_id: str = ""
    host_id: str = ""
    resource_pool_id: str = ""
    resource_pool_path: str = ""
    """Escaped names of the pools from below the root pool down."""
    datastore_ids: Mapping[str, str] = field(default_factory=dict)
    """Ids of the datastores by their names."""
    hardware_version: str = ""
    """Virtual hardware version, such as ``vmx-21``."""
    same_platform: bool | None = None
    """Whether the ids above are of the platform that is restored to. None: not known, so that an id counts only
    where the object still has the saved name."""

    def is_of(self, moid: str, name: str, saved_id: str, saved_name: str) -> bool:
        """Return whether an object is the one that was saved, by its id."""
        if not saved_id or moid != saved_id or self.same_platform is False:
            return False
        return self.same_platform is True or name == saved_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The choice that was made."""

    folder: str
    """The VM's folder; that of its datacenter where it is created in a vApp, for it is in none then."""
    pool: str
    host: Host
    datastore: str
    """Empty where none was to be chosen."""
    disk_datastores: Mapping[int, str]
    warnings: tuple[Message, ...] = ()
    folder_path: tuple[str, ...] = ()
    vapp: VApp | None = None
    """The vApp that ``pool`` is or lies in: the VM is created in it, by its own method."""
    datacenter: Datacenter | None = None
    same_platform: bool | None = None
    """Whether the saved VM's ids are of this platform; see ``Origin.same_platform``."""
    other_networks: tuple[Network, ...] = ()
    """Networks of the platform that the host does not offer."""
    guest_ids: frozenset[str] = frozenset()
    """Guest systems that the host knows with an older hardware version; empty where that does not matter."""


class NoPlace(Unsuitable):
    """The VM cannot be created as it was asked. Never leaves this package."""


def choose_place(offer: PlatformOffer, origin: Origin, wanted: VmPlacement) -> Place:
    """Choose where a VM is created: what was asked for, else what it came from, else the only one there is.

    What is asked for is an id, a path, or a name that only one object has.

    Raises:
        NoPlace: something that was asked for is not there, or nothing was asked for and the choice is not clear.
    """
    place = _without_datastores(offer, origin, wanted)
    stores = _Datastores(place.host, origin, _known_datastores(offer))
    datastore = stores.of_vm(wanted)
    return replace(
        place,
        datastore=datastore,
        disk_datastores=stores.of_disks(wanted, datastore),
        warnings=(*place.warnings, *stores.warnings),
    )


def choose_host(offer: PlatformOffer, origin: Origin, wanted: VmPlacement) -> Place:
    """Choose as :func:`choose_place` does, for a VM whose datastore is not there yet; the place names none.

    Raises:
        NoPlace: something that was asked for is not there, or nothing was asked for and the choice is not clear.
    """
    return _without_datastores(offer, origin, replace(wanted, datastore=None, disk_datastores=()))


def _without_datastores(offer: PlatformOffer, origin: Origin, wanted: VmPlacement) -> Place:
    warnings: list[Message] = []
    moid = _datacenter(offer, origin, wanted)
    datacenter = offer.datacenter(moid)
    host = _host(offer, datacenter, origin, wanted)
    pool = _pool(host, origin, wanted, warnings)
    vapp = host.vapps.get(pool)
    if vapp is None:
        folder, path = _folder(offer.folders[moid], origin, wanted, warnings)
    else:
        folder, path = offer.folders[moid][()], (vapp.name,)
    return Place(
        folder=folder,
        folder_path=path,
        pool=pool,
        vapp=vapp,
        host=host,
        datacenter=datacenter,
        datastore="",
        disk_datastores={},
        warnings=tuple(warnings),
        same_platform=origin.same_platform,
        other_networks=tuple(network for moid, network in offer.networks.items() if moid not in host.networks),
    )


# ---- datacenter and host ---------------------------------------------------------------------------------


def _datacenter(offer: PlatformOffer, origin: Origin, wanted: VmPlacement) -> str:
    known = [offer.datacenter(moid) for moid in offer.folders]
    if wanted.datacenter is not None:
        return _the_only(named(wanted.datacenter, known), wanted.datacenter)
    if wanted.host is not None:
        return _the_only_host(offer.hosts, wanted.host).datacenter
    asked = {
        host.datacenter for host in offer.hosts if wanted.datastore and wanted.datastore in host.datastore_ids
    }
    if len(asked) == 1:
        return asked.pop()
    found = _own_datacenters(offer, known, origin)
    if len(found) == 1:
        return found[0].moid
    if found:
        raise NoPlace(SEVERAL_OWN_DATACENTERS.fill(name=origin.datacenter, found=listed(found)))
    if len(known) == 1:
        return known[0].moid
    raise NoPlace(NO_OWN_DATACENTER.fill(name=origin.datacenter))


def _own_datacenters(offer: PlatformOffer, known: Sequence[Datacenter], origin: Origin) -> Sequence[Datacenter]:
    """Return the datacenters that the saved VM may have come from, one where it can be determined."""
    for datacenter in known:
        if origin.is_of(datacenter.moid, datacenter.name, origin.datacenter_id, origin.datacenter):
            return [datacenter]
    paths = [
        datacenter for datacenter in known if origin.datacenter_path and datacenter.path == origin.datacenter_path
    ]
    found = paths or [datacenter for datacenter in known if datacenter.name == origin.datacenter]
    if len(found) > 1:
        by_host = {host.datacenter for host in offer.hosts if host.name == origin.host}
        found = [datacenter for datacenter in found if datacenter.moid in by_host] or found
    return found


def _the_only(found: Sequence[Datacenter], text: str) -> str:
    if not found:
        raise NoPlace(NO_DATACENTER.fill(name=text))
    if len(found) > 1:
        raise NoPlace(DATACENTER_AMBIGUOUS.fill(name=text, found=listed(found)))
    return found[0].moid


def _hosts_named(hosts: Iterable[Host], text: str) -> list[Host]:
    known = list(hosts)
    return [host for host in known if host.moid == text] or [host for host in known if host.name == text]


def _the_only_host(hosts: Iterable[Host], text: str) -> Host:
    found = _hosts_named(hosts, text)
    if not found:
        raise NoPlace(HOST_AWAY.fill(host=text))
    if len({host.datacenter for host in found}) > 1:
        raise NoPlace(HOST_AMBIGUOUS.fill(host=text))
    return found[0]


def _host(offer: PlatformOffer, datacenter: Datacenter, origin: Origin, wanted: VmPlacement) -> Host:
    hosts = [host for host in offer.hosts if host.datacenter == datacenter.moid]
    if wanted.host is not None:
        hosts = _hosts_named(hosts, wanted.host)
        if not hosts:
            raise NoPlace(HOST_AWAY_IN.fill(host=wanted.host, datacenter=datacenter.path))
    asked = [
        datastore
        for datastore in (wanted.datastore, *(name for _, name in wanted.disk_datastores))
        if datastore is not None
    ]
    for text in asked:
        hosts = [host for host in hosts if _datastore_of(host, text)]
        if not hosts:
            raise NoPlace(NO_HOST_WITH_DATASTORE.fill(datacenter=datacenter.path, datastore=text))
    if not hosts:
        raise NoPlace(NO_HOST.fill(datacenter=datacenter.path))
    known = _known_datastores(offer)
    return max(hosts, key=lambda host: _suitability(host, origin, known))


def _suitability(host: Host, origin: Origin, known: frozenset[str]) -> tuple[bool, int, bool, bool]:
    """Rate a host: first its datastores, then whether it knows the VM's hardware and is the VM's own."""
    stores = _Datastores(host, origin, known)
    present = {name for name in {origin.datastore, *origin.disk_datastores.values()} if stores.own(name)}
    newest = newest_version(host.hardware_versions, host.version)
    runs = not newest or number_of(origin.hardware_version) <= newest
    is_own = origin.is_of(host.moid, host.name, origin.host_id, origin.host) or host.name == origin.host
    return origin.datastore in present, len(present), runs, is_own


def _known_datastores(offer: PlatformOffer) -> frozenset[str]:
    """Return the ids of all datastores of a platform."""
    return frozenset(moid for host in offer.hosts for moid in host.datastore_ids)


# ---- datastores ---------------------------------------------------------------------------------


def _datastore_of(host: Host, text: str) -> str:
    """Return the name of the datastore that an id or a name means on a host; empty when it has none."""
    return host.datastore_ids.get(text) or (text if text in host.datastores else "")


@dataclass(slots=True)
class _Datastores:
    """Finds the datastores of a VM on the host that was chosen."""

    host: Host
    origin: Origin
    known: frozenset[str]
    """Ids of all datastores of the platform."""
    warnings: list[Message] = field(default_factory=list)

    def of_vm(self, wanted: VmPlacement) -> str:
        if wanted.datastore is not None:
            return _datastore_of(self.host, wanted.datastore)
        own = self.own(self.origin.datastore)
        if own:
            return own
        if len(self.host.datastores) == 1:
            return next(iter(self.host.datastores))
        own_one = self._described(self.origin.datastore)
        raise NoPlace(NO_OWN_DATASTORE.fill(host=self.host.name, datastore=own_one))

    def of_disks(self, wanted: VmPlacement, datastore: str) -> Mapping[int, str]:
        overrides = {key: _datastore_of(self.host, text) for key, text in wanted.disk_datastores}
        chosen: dict[int, str] = {}
        for key, own in self.origin.disk_datastores.items():
            if key in overrides:
                chosen[key] = overrides[key]
            elif wanted.datastore is not None:
                chosen[key] = datastore
            elif found := self.own(own):
                chosen[key] = found
            else:
                chosen[key] = datastore
                self.warnings.append(
                    DATASTORE_MISSING.fill(own=self._described(own), disk=key, datastore=datastore)
                )
        return chosen

    def own(self, name: str) -> str:
        """Return the name here of a datastore that the VM was on; empty when the host does not have it."""
        saved_id = self.origin.datastore_ids.get(name, "")
        here = self.host.datastore_ids.get(saved_id, "")
        if here and self.origin.is_of(saved_id, here, saved_id, name):
            return here
        if self._is_elsewhere(name):
            return ""  # one of that name here is another one
        return name if name in self.host.datastores else ""

    def _is_elsewhere(self, name: str) -> bool:
        saved_id = self.origin.datastore_ids.get(name, "")
        return self.origin.same_platform is True and saved_id in self.known

    def _described(self, name: str) -> Param:
        is_namesake_here = name in self.host.datastores and self._is_elsewhere(name)
        return NAMESAKE.fill(datastore=name) if is_namesake_here else name


# ---- folder and resource pool ---------------------------------------------------------------------------------


def _folder(
    folders: Mapping[tuple[str, ...], str], origin: Origin, wanted: VmPlacement, warnings: list[Message]
) -> tuple[str, tuple[str, ...]]:
    paths = {moid: path for path, moid in folders.items()}
    if wanted.folder_id in paths:
        return wanted.folder_id, paths[wanted.folder_id]
    wanted_path = wanted.folder
    if wanted_path is None:
        own = paths.get(origin.folder_id)
        if own is not None and origin.is_of(
            origin.folder_id, own[-1] if own else "", origin.folder_id, origin.folder[-1] if origin.folder else ""
        ):
            return origin.folder_id, own
        wanted_path = origin.folder
    for length in range(len(wanted_path), -1, -1):
        moid = folders.get(wanted_path[:length])
        if moid is not None:
            if length < len(wanted_path):
                where = "/".join(wanted_path[:length]) or OWN_FOLDER
                warnings.append(FOLDER_MISSING.fill(folder="/".join(wanted_path), where=where))
            return moid, wanted_path[:length]
    raise NoPlace(NO_FOLDER)


def _pool(host: Host, origin: Origin, wanted: VmPlacement, warnings: list[Message]) -> str:
    """Return the VM's resource pool or vApp.

    A VM of a vApp is in no folder: where a folder was asked for, the vApp is not.
    """
    name = origin.resource_pool
    asked = host.vapps.get(wanted.vapp_id or "")
    if asked is not None:
        own = [moid for moid in _own_pools(host, origin).values() if host.vapps.get(moid) == asked] if name else []
        return own[0] if len(own) == 1 else asked.moid
    if not name:
        return host.root_pool
    found = _own_pools(host, origin)
    if len(found) != 1:
        if found:
            warnings.append(POOLS_AMBIGUOUS.fill(host=host.name, name=name, found=", ".join(sorted(found))))
        else:
            warnings.append(POOL_MISSING.fill(name=name, host=host.name))
        return host.root_pool
    moid = next(iter(found.values()))
    if moid in host.vapps and (wanted.folder_id is not None or wanted.folder is not None):
        warnings.append(WAS_IN_VAPP.fill(name=host.vapps[moid].name))
        return host.root_pool
    return moid


def _own_pools(host: Host, origin: Origin) -> dict[str, str]:
    """Return the pools that the saved VM may have been in, by their paths."""
    name = escaped(origin.resource_pool)
    by_path = {path: moid for path, moid in host.pools.items() if path == origin.resource_pool_path}
    by_name = {path: moid for path, moid in host.pools.items() if path.rpartition("/")[2] == name}
    for path, moid in host.pools.items():
        if origin.is_of(moid, path.rpartition("/")[2], origin.resource_pool_id, name):
            return {path: moid}
    return by_path or by_name
