"""``platform …`` and ``standby …``."""

from argparse import Namespace
from pathlib import Path

from app.cli.ctl.names import find, find_platform, find_standby
from app.cli.ctl.screen import Screen, size
from app.cli.ctl.secrets import new_passphrase, secret
from app.cli.ctl.tasks import DONE, FAILED, queued
from app.contract.door import Door
from app.contract.platforms import (
    InspectServer,
    ListPlatformRows,
    ListVms,
    ProbePlatform,
    RegisterPlatform,
    RemovePlatform,
    UpdatePlatform,
)
from app.contract.standbys import ListStandbyRows, ReadOpenEntries, RegisterStandby, RemoveStandby, StartClosing
from app.contract.tasks import StartConsolidation
from app.core.streams import is_at_terminal
from app.domain.addresses import with_port

# --- platforms -----------------------------------------------------------------------------------------------


def list_platforms(door: Door, screen: Screen, _chosen: Namespace) -> int:
    """List virtual platforms with what was last seen of them."""
    rows = door.ask(ListPlatformRows())
    columns = ("name", "address", "account", "kind", "version", "reachable", ">VMs", ">rules", "id")
    cells = (
        (
            row.platform.name,
            with_port(row.platform.address, row.platform.port),
            row.platform.user,
            row.facts.kind.value if row.facts else None,
            row.facts.version if row.facts else None,
            {True: "yes", False: "no", None: None}[row.reachable],
            row.vm_count,
            row.rule_count,
            row.platform.id,
        )
        for row in rows
    )
    screen.table(columns, cells, rows)
    return DONE


def add_platform(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Register a virtual platform; its password is asked for, or read from standard input."""
    is_confirmed, thumbprint = _confirmed_certificate(door, screen, chosen, chosen.port)
    if not is_confirmed:
        return FAILED
    platform = door.execute(
        RegisterPlatform(
            name=chosen.name,
            address=chosen.address,
            port=chosen.port,
            user=chosen.user,
            password=secret(f"Password of {chosen.user} on {chosen.address}: "),
            thumbprint_sha256=thumbprint,
        )
    )
    screen.facts([("Registered", platform.name), ("id", platform.id)], platform)
    return DONE


def move_platform(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Look for a virtual platform at another address from now on."""
    known = find_platform(door, chosen.name)
    port = known.port if chosen.port is None else chosen.port
    is_confirmed, thumbprint = _confirmed_certificate(door, screen, chosen, port)
    if not is_confirmed:
        return FAILED
    platform = door.execute(
        UpdatePlatform(
            platform=known.id,
            name=known.name,
            address=chosen.address,
            port=port,
            is_confirmed_same=chosen.same,
            user=known.user,
            thumbprint_sha256=thumbprint,
        )
    )
    screen.facts([("Platform", platform.name), ("Address", with_port(platform.address, platform.port))], platform)
    return DONE


def _confirmed_certificate(door: Door, screen: Screen, chosen: Namespace, port: int) -> tuple[bool, str | None]:
    """Return whether a server's certificate may be trusted, and what it is to be pinned by."""
    if chosen.thumbprint is not None:
        return True, chosen.thumbprint
    certificate = door.ask(InspectServer(address=chosen.address, port=port))
    if certificate.trusted_by_ca:
        return True, None
    screen.remark(f"The certificate of {chosen.address} is signed by no authority that is trusted here.")
    screen.remark(f"Subject {certificate.subject}, SHA-256 {certificate.thumbprint_sha256}")
    if _confirmed("Is it the right one? [y/N] "):
        return True, certificate.thumbprint_sha256
    screen.remark(f"To confirm it: --thumbprint {certificate.thumbprint_sha256}")
    return False, None


def set_plain(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Let the disks of a virtual platform travel unencrypted, or not."""
    known = find_platform(door, chosen.name)
    platform = door.execute(
        UpdatePlatform(
            platform=known.id,
            name=known.name,
            user=known.user,
            thumbprint_sha256=known.thumbprint_sha256,
            allows_plain_transport=chosen.choice == "on",
        )
    )
    allowed = "allowed" if platform.allows_plain_transport else "not allowed"
    screen.facts([("Platform", platform.name), ("Plain transport", allowed)], platform)
    return DONE


def consolidate_disks(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Let the disks of a VM be consolidated, as a task."""
    platform = find_platform(door, chosen.name)
    vms = door.ask(ListVms(platform=platform.id))
    vm = find("VM", chosen.vm, vms, lambda vm: (vm.id, vm.name))
    task = door.execute(StartConsolidation(platform=platform.id, vm=vm.id, vm_name=vm.name))
    screen.remark(f"To stop it: debugctl task cancel {task}")
    return queued(door, screen, [task], wait=chosen.wait)


def remove_platform(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Forget a virtual platform."""
    platform = find_platform(door, chosen.name)
    door.execute(RemovePlatform(platform=platform.id))
    screen.facts([("Removed", platform.name)], platform)
    return DONE


def test_platform(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Log in to a virtual platform."""
    platform = find_platform(door, chosen.name)
    facts = door.ask(ProbePlatform(platform=platform.id))
    screen.facts(
        [
            ("Platform", platform.name),
            ("Kind", facts.kind.value),
            ("Product", facts.full_name),
            ("API version", facts.api_version),
        ],
        facts,
    )
    return DONE


def _confirmed(question: str) -> bool:
    return is_at_terminal() and input(question).strip().lower() in ("y", "yes")


# --- standby machines ----------------------------------------------------------------------------------------


def list_standbys(door: Door, screen: Screen, _chosen: Namespace) -> int:
    """List standby machines with their space."""
    rows = door.ask(ListStandbyRows())
    columns = (
        "name",
        "path",
        "reachable",
        "writable",
        "encrypted",
        ">free",
        ">total",
        ">points",
        ">rules",
        "note",
        "id",
    )
    cells = (
        (
            row.name,
            row.root_path,
            "yes" if row.reachable else "no",
            "yes" if row.writable else "no",
            "locked" if row.locked else "yes" if row.is_encrypted else "no",
            size(row.free_bytes),
            size(row.total_bytes),
            row.point_count,
            row.rule_count,
            row.note,
            row.id,
        )
        for row in rows
    )
    screen.table(columns, cells, rows)
    return DONE


def add_standby(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Register a standby machine."""
    passphrase = new_passphrase() if chosen.encrypt else None
    standby = door.execute(
        RegisterStandby(
            name=chosen.name,
            root_path=str(Path(chosen.path).absolute()),
            note=chosen.note,
            passphrase=passphrase,
            hide_names=chosen.encrypt and chosen.hide_names,
            new_identity=chosen.new_identity,
            group=chosen.group,
        )
    )
    screen.facts([("Registered", standby.name), ("id", standby.id)], standby)
    return DONE


def close_standby(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Take the rights that other users of the machine have on what is at a standby machine."""
    standby = find_standby(door, chosen.name)
    found = door.ask(ReadOpenEntries(standby=standby.id))
    if found.is_complete and not found.count and not found.linked:
        screen.facts([("Closed", standby.name), ("Open to others", "nothing")], found)
        return DONE
    more = "" if found.is_complete else " or more"
    screen.remark(f"Other users can use {found.count}{more} files and folders in {found.path}.")
    if found.linked:
        screen.remark(f"{found.linked} more have further names (hard links) and stay as they are.")
    if not chosen.yes and not _confirmed("Take the rights of other users? [y/N] "):
        screen.remark("Nothing was changed. To confirm it: --yes")
        return FAILED
    task = door.execute(StartClosing(standby=standby.id))
    screen.remark(f"To stop it: debugctl task cancel {task}")
    return queued(door, screen, [task], wait=chosen.wait)


def remove_standby(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Forget a standby machine; its data stays."""
    standby = find_standby(door, chosen.name)
    door.execute(RemoveStandby(standby=standby.id))
    screen.facts([("Removed", standby.name)], standby)
    return DONE
