"""Commands about virtual platforms, standby machines and what lies there."""

from app.domain.ids import PlatformId, PointId, StandbyId
from app.domain.platforms import Platform
from app.domain.standbys import Standby
from app.engine.commands.base import Command


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
    """Change a platform's name, account or confirmed certificate, after a login with them worked."""

    platform: PlatformId
    name: str
    user: str
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


class RegisterStandby(Command[Standby], frozen=True, kw_only=True):
    """Remember a standby machine; the points of repositories that lie there already are listed at once."""

    name: str
    root_path: str
    """Absolute path on the engine's machine, local or mounted; made when its parent is there."""
    note: str = ""
    passphrase: str | None = None
    """Encrypts everything that is kept there, or opens the encrypted repositories that lie there already; refused
    where others do. Without it a standby with nothing but encrypted repositories is encrypted, and locked."""
    hide_names: bool = False
    """With a passphrase: hide the names of rules, VMs and platforms too."""
    new_identity: bool = False
    """True for a copy of a registered standby machine: it gets a mark of its own, and both stay in use."""
    group: str = ""
    """Name of a group of the engine's machine whose users may use what is kept there too; empty leaves the folder
    as it is, and makes a new one for the engine's user only. Refused where backup data is already."""

    def __repr__(self) -> str:
        return f"RegisterStandby(name={self.name!r}, root_path={self.root_path!r}, passphrase=…)"


class UpdateStandby(Command[Standby], frozen=True, kw_only=True):
    """Change a standby machine's name, note, or the path under which the same disk or share is seen."""

    standby: StandbyId
    name: str
    root_path: str
    note: str = ""


class RemoveStandby(Command[None], frozen=True, kw_only=True):
    """Forget a standby. Its data stays where it is."""

    standby: StandbyId


class RefreshPoints(Command[int], frozen=True, kw_only=True):
    """Read the list of a standby's restore points from its repositories again; return how many there are."""

    standby: StandbyId
    target_path: str | None = None
    """Only the repository in this directory; None: every one that was ever used there."""


class DeletePoint(Command[None], frozen=True, kw_only=True):
    """Move a restore point to its repository's trash."""

    standby: StandbyId
    target_path: str = ""
    point: PointId


class SweepSnapshots(Command[int], frozen=True, kw_only=True):
    """Remove snapshots of ours that no live task owns from a platform; return how many were removed."""

    platform: PlatformId
    include_unknown: bool = False
    """True also removes those of tasks this catalog does not know (perhaps another console's, still running)."""
