"""Virtual platforms: vCenter servers and single ESXi hosts."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from app.domain.errors import KeptError
from app.domain.ids import PlatformId


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

    def is_same(self, other: "PlatformIdentity") -> bool:
        """Return whether both are the same platform: by the UUID where both know it, else by the address.

        A platform keeps its UUID under every name and address; one that was set up again has another.
        """
        if self.instance_uuid and other.instance_uuid:
            return self.instance_uuid.lower() == other.instance_uuid.lower()
        return self.address.casefold() == other.address.casefold()


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
    FEWER_FILES = "fewer_files"
    """The NVRAM and the .vmx file are not in the restore points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivilegeCheck:
    """One privilege, what it is needed for, and whether the account has it."""

    privilege: str
    """The platform's own name of it, such as ``VirtualMachine.State.CreateSnapshot``."""
    for_backup: bool
    for_restore: bool
    is_granted: bool
    without_it: WithoutPrivilege = WithoutPrivilege.NOTHING_WORKS
