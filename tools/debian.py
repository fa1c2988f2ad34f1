"""Which packages of Debian the commands of ``./dev`` need, and how they get onto this machine.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

from tools.saying import Refused, say

# "a|b" names one package by its names in different releases of Debian.
TLS_PACKAGES = ("ca-certificates",)
QT_PACKAGES = (
    "libgl1",
    "libegl1",
    "libxkbcommon0",
    "libglib2.0-0t64|libglib2.0-0",
    "libfontconfig1",
    "libdbus-1-3",
)
# What Qt's plugin for X11 is linked with (ldd libqxcb.so); without one of them Qt ends the program.
X11_PACKAGES = (
    "libx11-xcb1",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-render0",
    "libxcb-shape0",
    "libxcb-shm0",
    "libxcb-sync1",
    "libxcb-util1",
    "libxcb-xfixes0",
    "libxcb-xkb1",
    "libxkbcommon-x11-0",
)
FONT_PACKAGES = ("fonts-wqy-zenhei",)
PICTURE_PACKAGES = ("fonts-noto-cjk",)
TEST_TOOL_PACKAGES = (
    "qemu-utils",
    "e2fsprogs",
    "xfsprogs",
    "ntfs-3g",
    "lvm2",
    "dosfstools",
    "mtools",
    "fdisk",
    "exfat-fuse",
    "exfatprogs",
    "openssl",
    "gnome-keyring",
    "dbus-daemon",
    "libnbd-bin",
    "qemu-system-x86",
    "xvfb",
    "xauth",
    "trayer",
    "openbox",
    "xdotool",
    "nfs-ganesha",
    "nfs-ganesha-vfs",
    "rpcbind",
    "libnfs13",
    "libnfs-utils",
    "qemu-block-extra",
    "busybox-static",
    "parted",
    "cpio",
    "kmod",
    "grub-pc-bin",
    "grub-common",
    "iproute2",
    "gcc",
    "libc6-dev",
    "golang-go",
    "golang-github-vmware-govmomi-dev",
)

_INSTALL = ("apt-get", "install", "-y", "--no-install-recommends")


def window_packages(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return what Qt needs to show a window here: under Wayland nothing of X11."""
    return QT_PACKAGES if environment.get("WAYLAND_DISPLAY") else QT_PACKAGES + X11_PACKAGES


def has_tools() -> bool:
    """Return whether Debian's tools for packages are there."""
    return bool(shutil.which("dpkg-query") and shutil.which("apt-get"))


def missing_packages(wanted: Sequence[str]) -> list[str]:
    """Return the entries of ``wanted`` of which no name is installed; none where Debian's tools are not there."""
    if not wanted or not has_tools():
        return []
    present = _installed(name for entry in wanted for name in entry.split("|"))
    return [entry for entry in wanted if present.isdisjoint(entry.split("|"))]


def require_packages(needed: Sequence[str], useful: Sequence[str] = (), *, purpose: str) -> None:
    """Install what is missing as root, after saying what that is; anybody else gets the one command to type.

    Raises:
        Refused: something of ``needed`` is missing and this is not root, or apt-get failed.
    """
    missing = missing_packages([*needed, *useful])
    if not missing:
        return
    if not is_root():
        show_packages(missing, purpose=purpose)
        if not set(missing).isdisjoint(needed):
            raise Refused(f"{purpose}: not possible without these packages")
        return
    if not _run_apt(["apt-get", "update"]):
        say("apt-get update failed; going on with the package lists that are there")
    names = [name_here(entry) for entry in missing]
    say(f"installing {len(names)} system packages for {purpose}: {' '.join(names)}")
    if not _run_apt([*_INSTALL, *names]):
        raise Refused(f"apt-get could not install: {' '.join(names)}")


def show_packages(missing: Sequence[str], *, purpose: str) -> None:
    """Say which packages are missing, and the one command that installs them."""
    names = [name_here(entry) for entry in missing]
    install = " ".join([*_INSTALL, *names])
    say(f"missing system packages for {purpose}: {' '.join(names)}")
    if is_root():
        command = f"apt-get update && {install}"
    elif shutil.which("sudo"):
        command = f"sudo apt-get update && sudo {install}"
    else:
        command = f"su -c {shlex.quote(f'apt-get update && {install}')}"
    say(f"install them with: {command}")


def name_here(entry: str) -> str:
    """Choose the name under which this release of Debian knows a package."""
    names = entry.split("|")
    for name in names[:-1]:
        shown = subprocess.run(["apt-cache", "show", name], capture_output=True, check=False)
        if shown.returncode == 0 and shown.stdout:
            return name
    return names[-1]


def is_root() -> bool:
    """Return whether this user may install system packages."""
    return sys.platform == "win32" or os.geteuid() == 0


def _installed(names: Iterable[str]) -> set[str]:
    query = ["dpkg-query", "-W", "-f=${db:Status-Status} ${binary:Package}\n", *names]
    listing = subprocess.run(
        query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
    ).stdout
    rows = (line.split() for line in listing.splitlines())
    return {row[1].split(":")[0] for row in rows if row[0] == "installed"}


def _run_apt(command: Sequence[str]) -> bool:
    """Run apt-get without questions, show its output only when it fails, and return whether it worked."""
    done = subprocess.run(
        [*command, "-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"],
        env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        say(done.stdout.decode(errors="replace"))
    return done.returncode == 0
