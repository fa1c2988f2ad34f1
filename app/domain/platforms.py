"""Virtual platforms: vCenter servers and single ESXi hosts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from app.domain.errors import KeptError
from app.domain.ids import PlatformId
from app.domain.states import TransportMode
from app.domain.transports import BEST_FIRST


class PlatformKind(Enum):
    """What answers at the address."""

    VCENTER = "vcenter"
    ESXI = "esxi"  # shown as HostAgent


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A registered virtual platform. Its password is in the secret store, under ``secret_name``."""

    id: PlatformId
    name: str
    address: str
    port: int = 443
    user: str
    thumbprint_sha256: str | None
    """Confirmed certificate, upper-case hex pairs joined by colons; None accepts what a public CA signed."""
    allows_plain_transport: bool = False
    """True where the operator lets disks travel unencrypted between the ESXi hosts and this machine."""
    former_addresses: tuple[str, ...] = ()
    """Where it was before it was renumbered, renamed or moved behind a proxy."""
    transports: tuple[TransportMode, ...] = BEST_FIRST
    """The order in which ways to its disks are tried."""

    @property
    def secret_name(self) -> str:
        """Name of the password in the secret store."""
        return f"platform/{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformFacts:
    """What a platform says of itself after login."""

    kind: PlatformKind
    full_name: str
    version: str
    api_version: str
    build: str
    instance_uuid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformIdentity:
    """What distinguishes a platform from others."""

    address: str
    instance_uuid: str | None = None
    """Of a vCenter server its own, of a single ESXi host its hardware's; None where it is not known."""
    former_addresses: tuple[str, ...] = ()
    """Where a registered platform was before."""
    shares_address: bool = False
    """True for a registered platform when another one is or was at an address of it: an address proves nothing."""

    def is_same(self, other: "PlatformIdentity") -> bool:
        """Return whether both are certainly the same: by the UUID where both know it, else by the address.

        A platform keeps its UUID under every name and address; one that was set up again has another.
        """
        if self == other:
            return True
        if self.instance_uuid and other.instance_uuid:
            return self.instance_uuid.lower() == other.instance_uuid.lower()
        if self.shares_address or other.shares_address:
            return False
        return not self.addresses.isdisjoint(other.addresses)

    @property
    def addresses(self) -> frozenset[str]:
        """Every address that it has or had, folded."""
        return frozenset(address.casefold() for address in (self.address, *self.former_addresses))


def registered_identities(
    platforms: Iterable[Platform], uuids: Mapping[PlatformId, str | None]
) -> dict[PlatformId, PlatformIdentity]:
    """Return what distinguishes each of the registered platforms from all others.

    A UUID that two of them report (hosts whose firmware was copied) says nothing about either.

    Args:
        platforms: every registered platform.
        uuids: the instance UUIDs that they reported, as far as they are known.
    """
    known = tuple(platforms)
    reported = Counter((uuids.get(platform.id) or "").lower() for platform in known)
    at = Counter(
        address
        for platform in known
        for address in {text.casefold() for text in (platform.address, *platform.former_addresses)}
    )
    found = {}
    for platform in known:
        uuid = uuids.get(platform.id)
        identity = PlatformIdentity(
            address=platform.address,
            instance_uuid=uuid if uuid and reported[uuid.lower()] == 1 else None,
            former_addresses=platform.former_addresses,
        )
        is_shared = any(at[address] > 1 for address in identity.addresses)
        found[platform.id] = replace(identity, shares_address=is_shared)
    return found


def origin_among(
    recorded: PlatformIdentity, registered: Mapping[PlatformId, PlatformIdentity]
) -> PlatformId | None:
    """Return the registered platform that something on record came from; None when there is none, or no telling.

    It is the one that is certainly the same. After a new installation, with another UUID, a platform is still
    found at its address, unless another one is or was there too.
    """
    same = [platform for platform, identity in registered.items() if identity.is_same(recorded)]
    if not same:
        there = [
            platform
            for platform, identity in registered.items()
            if recorded.address.casefold() == identity.address.casefold()
        ]
        same = [platform for platform in there if not registered[platform].shares_address]
    return same[0] if len(same) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """The certificate a server shows, before anything is sent to it."""

    thumbprint_sha256: str
    """Upper-case hex pairs joined by colons."""
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    trusted_by_ca: bool
    """True when an authority that this machine trusts signed it for this address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSighting:
    """What was last seen of a registered platform."""

    platform: PlatformId
    checked_at: datetime
    reachable: bool
    facts: PlatformFacts | None = None
    """None until it was reached once."""
    license_name: str = ""
    vm_count: int | None = None
    error: KeptError | None = None
    """Why it could not be used the last time; None when it could."""


class WithoutPrivilege(Enum):
    """What it means for the work that a privilege is missing."""

    NOTHING_WORKS = "nothing_works"
    WHOLE_DISKS = "whole_disks"
    """Every backup reads whole disks."""
    NO_HOTADD = "no_hotadd"
    """Disks are not read through the VM that the program runs in."""
    FEWER_FILES = "fewer_files"
    """The NVRAM and the .vmx file are not in the restore points."""
    TEMPLATES_AS_VMS = "templates_as_vms"
    """Templates are restored as VMs."""
    NOT_INTO_VAPPS = "not_into_vapps"
    """VMs cannot be restored into their vApps."""
    OTHER_VAPP_ORDER = "other_vapp_order"
    """A restored VM starts last in its vApp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivilegeCheck:
    """One privilege, what it is needed for, and whether the account has it."""

    privilege: str
    """The platform's own name of it, such as ``VirtualMachine.State.CreateSnapshot``."""
    for_backup: bool
    for_restore: bool
    is_granted: bool
    without_it: WithoutPrivilege = WithoutPrivilege.NOTHING_WORKS
    missing_at: str = ""
    """Name of the object that it is missing at; empty: at the one that was asked about."""
