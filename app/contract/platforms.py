"""Virtual platforms and the VMs on them."""

from dataclasses import dataclass
from datetime import datetime

from app.contract.base import Command, Query
from app.contract.errors import ErrorRow
from app.domain.ids import PlatformId, VmId
from app.domain.platforms import Platform, PlatformFacts
from app.domain.vms import VmDetails, VmSummary


class RegisterPlatform(Command[Platform], frozen=True, kw_only=True):
    """Log in to a platform, and remember it when that worked; the password goes to the secret store."""

    name: str
    address: str
    user: str
    password: str
    port: int = 443
    thumbprint_sha256: str | None = None
    """The certificate that the operator confirmed; None trusts the public CAs."""
    allows_plain_transport: bool = False
    """True lets disks travel unencrypted between the ESXi hosts and this machine."""

    def __repr__(self) -> str:
        return f"RegisterPlatform(name={self.name!r}, address={self.address!r}, user={self.user!r}, password=…)"


class UpdatePlatform(Command[Platform], frozen=True, kw_only=True):
    """Change a platform's name, address, account or confirmed certificate, after a login with them worked.

    At a new address the same platform has to answer: it is known by its instance UUID. Raises ``OtherPlatform``
    when another one does, and ``PlatformUnproven`` when that cannot be told and is not confirmed.
    """

    platform: PlatformId
    name: str
    user: str
    address: str | None = None
    """None keeps the one that is known."""
    port: int | None = None
    is_confirmed_same: bool = False
    """True when the operator knows that the same platform answers at the new address."""
    password: str | None = None
    """None keeps the password that is known."""
    thumbprint_sha256: str | None = None
    allows_plain_transport: bool | None = None
    """None keeps what was chosen."""

    def __repr__(self) -> str:
        return f"UpdatePlatform(platform={self.platform!r}, name={self.name!r}, user={self.user!r}, password=…)"


class RemovePlatform(Command[None], frozen=True, kw_only=True):
    """Forget a platform and its password. Restore points stay."""

    platform: PlatformId


class RemoveOrphanedSnapshots(Command[int], frozen=True, kw_only=True, tag="SweepSnapshots"):
    """Remove snapshots of ours that no live task owns from a platform; return how many were removed."""

    platform: PlatformId
    include_unknown: bool = False
    """True also removes those of tasks this catalog does not know (perhaps another console's, still running)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The certificate a server shows, for trust on first use."""

    thumbprint_sha256: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    trusted_by_ca: bool


class InspectServer(Query[Certificate], frozen=True, kw_only=True):
    """Return the certificate of a server, before any password is sent to it."""

    address: str
    port: int = 443


class TryPlatform(Query[PlatformFacts], frozen=True, kw_only=True):
    """Log in with details that are not registered yet; return what the platform says of itself."""

    address: str
    port: int = 443
    user: str
    password: str
    thumbprint_sha256: str | None = None

    def __repr__(self) -> str:
        return f"TryPlatform(address={self.address!r}, user={self.user!r}, password=…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformRow:
    """A platform in the list of platforms."""

    platform: Platform
    facts: PlatformFacts | None
    """None until it was reached once."""
    reachable: bool | None
    """None before the first try."""
    checked_at: datetime | None
    error: ErrorRow | None
    vm_count: int | None
    rule_count: int
    license_name: str


class ListPlatformRows(Query[tuple[PlatformRow, ...]], frozen=True, kw_only=True):
    """Return the platforms with what was last seen of them; asks no platform."""


class ListPlatforms(Query[tuple[Platform, ...]], frozen=True, kw_only=True):
    """Return the registered platforms, by name."""


class ProbePlatform(Query[PlatformFacts], frozen=True, kw_only=True):
    """Log in to a platform and return what it says of itself."""

    platform: PlatformId


class ListVms(Query[tuple[VmSummary, ...]], frozen=True, kw_only=True):
    """Ask a platform for its whole inventory, without the VMs that it makes for itself."""

    platform: PlatformId


class DescribeVm(Query[VmDetails], frozen=True, kw_only=True):
    """Ask a platform for one VM with its disks and snapshots."""

    platform: PlatformId
    vm: VmId
