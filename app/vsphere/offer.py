"""What a platform offers to a new VM: its datacenters, hosts and networks, as values.

Objects are distinguished by their managed object ids. A name counts only where it is the name of one object.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, TypeVar


class NetworkKind(Enum):
    """How a network adapter is connected to a network."""

    STANDARD = "standard"
    DISTRIBUTED = "distributed"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network that a host offers."""

    name: str
    moid: str
    kind: NetworkKind = NetworkKind.STANDARD
    key: str = ""
    """Port group key, or opaque network id."""
    switch: str = ""
    """UUID of the distributed switch, or type of the opaque network."""
    switch_name: str = ""

    @property
    def path(self) -> str:
        """Name with the distributed switch, which distinguishes it from others of that name."""
        return f"{self.switch_name}/{self.name}" if self.switch_name else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Datacenter:
    """A datacenter of a platform."""

    moid: str
    name: str
    path: str
    """Names of the folders above it and its own, joined by slashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VApp:
    """A vApp, in which VMs are created by a method of its own."""

    moid: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host that can run VMs."""

    moid: str
    name: str
    datacenter: str
    """Managed object id of its datacenter."""
    root_pool: str
    pools: Mapping[str, str]
    """Managed object ids of its resource pools, by their escaped names from below the root pool down."""
    datastores: frozenset[str]
    """Names of the datastores it can use; a datacenter has each name once."""
    networks: Mapping[str, Network]
    """What it offers, by managed object id."""
    datastore_ids: Mapping[str, str] = field(default_factory=dict)
    """Names of the datastores it can use, by managed object id."""
    vapps: Mapping[str, "VApp"] = field(default_factory=dict)
    """For each of its resource pools that is a vApp or lies in one, by managed object id, the nearest vApp."""
    hardware_versions: frozenset[str] = frozenset()
    """Virtual hardware versions that it creates VMs with, such as ``vmx-21``; empty when it does not say."""
    version: str = ""
    """Version of its ESXi."""
    environment: str = ""
    """Managed object id of what lists its options; empty when it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformOffer:
    """What a platform offers to a new VM."""

    hosts: tuple[Host, ...]
    """Connected hosts that are not in maintenance, by name."""
    folders: Mapping[str, Mapping[tuple[str, ...], str]]
    """For each datacenter's id, the ids of its VM folders by their path below it; ``()`` is its own."""
    datacenters: Mapping[str, Datacenter] = field(default_factory=dict)
    """The datacenters by id."""
    networks: Mapping[str, Network] = field(default_factory=dict)
    """Every network of the platform by id."""

    def datacenter(self, moid: str) -> Datacenter:
        """Return a datacenter by its id."""
        return self.datacenters.get(moid) or Datacenter(moid=moid, name=moid, path=moid)


class _Named(Protocol):
    @property
    def moid(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...


_N = TypeVar("_N", bound=_Named)


def named(text: str, candidates: Iterable[_N]) -> Sequence[_N]:
    """Return what a text may mean: the object with that id, else those of that path, else of that name."""
    known = list(candidates)
    for found in (
        [candidate for candidate in known if candidate.moid == text],
        [candidate for candidate in known if candidate.path == text],
        [candidate for candidate in known if candidate.name == text],
    ):
        if found:
            return found
    return ()


def listed(objects: Iterable[_Named]) -> str:
    """Return objects of one name so that they can be distinguished."""
    return ", ".join(sorted(f"{candidate.path} ({candidate.moid})" for candidate in objects))
