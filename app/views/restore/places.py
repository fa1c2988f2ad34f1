"""Places to choose from, kept apart by the platform's ids and, where two have one name, by their paths."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.domain.places import DatastorePlace, HostPlace, PlatformPlaces


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of a list."""

    value: str
    """The platform's id, or the name where it gives none."""
    text: str


def datacenter_choices(places: PlatformPlaces | None) -> tuple[Choice, ...]:
    """Return the datacenters of a platform, each by its path where another has its name."""
    if places is None:
        return ()
    if not places.datacenter_places:
        return tuple(Choice(name, name) for name in places.datacenters)
    names = Counter(place.name for place in places.datacenter_places)
    return tuple(
        Choice(place.id, place.path if names[place.name] > 1 else place.name) for place in places.datacenter_places
    )


def datacenter_value(host: HostPlace) -> str:
    """Return the value of a host's datacenter."""
    return host.datacenter_id or host.datacenter


def host_value(host: HostPlace) -> str:
    """Return the value of a host."""
    return host.id or host.name


def host_choices(hosts: Sequence[HostPlace], places: PlatformPlaces | None) -> tuple[Choice, ...]:
    """Return hosts, each with its datacenter where another has its name."""
    names = Counter(host.name for host in hosts)
    paths = _paths(places)
    return tuple(
        Choice(host_value(host), f"{_path(host, paths)}/{host.name}" if names[host.name] > 1 else host.name)
        for host in hosts
    )


def datastore_choices(hosts: Sequence[HostPlace], places: PlatformPlaces | None) -> tuple[DatastorePlace, ...]:
    """Return the datastores of some hosts, each once; those of one name are named with their datacenters."""
    found = {store.id or store.name: (host, store) for host in hosts for store in host.datastores}
    names = Counter(store.name for _, store in found.values())
    paths = _paths(places)
    named = (
        replace(store, name=f"{_path(host, paths)}/{store.name}") if names[store.name] > 1 else store
        for host, store in found.values()
    )
    return tuple(sorted(named, key=lambda store: (store.name.casefold(), store.id)))


def network_choices(hosts: Sequence[HostPlace], places: PlatformPlaces | None) -> tuple[Choice, ...]:
    """Return the networks of some hosts, each once; those of one name by their switches and datacenters."""
    paths = _paths(places)
    found: dict[str, tuple[str, str, str]] = {}
    for host in hosts:
        for network in host.network_places:
            found[network.id] = (network.name, network.path, _path(host, paths))
        for name in host.networks if not host.network_places else ():
            found[name] = (name, name, _path(host, paths))
    names = Counter(name for name, _, _ in found.values())
    switches = Counter(path for _, path, _ in found.values())
    choices = (
        Choice(value, _network_text(names[name] > 1, switches[path] > 1, name, path, datacenter))
        for value, (name, path, datacenter) in found.items()
    )
    return tuple(sorted(choices, key=lambda choice: (choice.text.casefold(), choice.value)))


def _network_text(has_namesake: bool, on_same_switch: bool, name: str, path: str, datacenter: str) -> str:  # noqa: FBT001 - each call names them
    if not has_namesake:
        return name
    return f"{datacenter}/{path}" if on_same_switch else path


def _paths(places: PlatformPlaces | None) -> Mapping[str, str]:
    known: Iterable[tuple[str, str]] = (
        ((place.id, place.path) for place in places.datacenter_places) if places is not None else ()
    )
    return dict(known)


def _path(host: HostPlace, paths: Mapping[str, str]) -> str:
    return paths.get(host.datacenter_id, host.datacenter)
