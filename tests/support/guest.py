"""A tiny real guest: 64 MiB with GRUB, ext4, busybox and Debian's kernel; it counts its boots and powers off.

On the serial console it says ``GUEST-UP boots=N sum=<the first digits of the payload's SHA-256>``. It is built
once per machine, without mounts and loop devices, and runs under QEMU without hardware help (TCG).
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.core.processlock import ProcessLock

TOOLS: Final = ("qemu-system-x86_64", "parted", "mke2fs", "cpio", "modprobe", "depmod", "grub-mkimage", "busybox")
PARTITION_AT: Final = 1 << 20
_CACHE: Final = Path(tempfile.gettempdir()) / "standfast-guest-1"
_PAYLOAD_BYTES: Final = 3_000_000
_PROGRAMS: Final = "sh mount umount cat echo sleep sync poweroff sha256sum cut init"
_MODULES: Final = "virtio_blk virtio_pci sd_mod vmw_pvscsi ext4"
_INIT: Final = """#!/bin/busybox sh
/bin/busybox mount -t proc p /proc; /bin/busybox mount -t devtmpfs d /dev; /bin/busybox mount -t sysfs s /sys
while read m; do /bin/busybox insmod /lib/$m; done < /lib/order
i=0; R=
while [ -z "$R" -a $i -lt 200 ]; do
  for d in /dev/vda1 /dev/sda1; do [ -b $d ] && R=$d; done
  /bin/busybox sleep 0.05; i=$((i+1))
done
/bin/busybox mount -t ext4 $R /mnt; exec /bin/busybox switch_root /mnt /sbin/init
"""
_START: Final = """#!/bin/sh
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev; mount -o remount,rw /
n=$(cat /data/boots 2>/dev/null || echo 0); echo $((n+1)) > /data/boots; sync
cat /data/payload > /data/copy; sync
echo "GUEST-UP boots=$((n+1)) sum=$(sha256sum < /data/copy | cut -c1-16)" > /dev/ttyS0
sync; umount / 2>/dev/null; mount -o remount,ro /; poweroff -f
"""
_BUILD: Final = r"""
set -e
K=$(ls k/lib/modules)
mkdir -p root/{bin,sbin,etc,proc,sys,dev,boot/grub,data,tmp} ird/{bin,lib,dev,proc,sys,mnt}
cp "$(command -v busybox)" ird/bin/busybox; cp ird/bin/busybox root/bin/
for a in $PROGRAMS; do ln -sf busybox root/bin/$a; done; ln -sf ../bin/busybox root/sbin/init
depmod -b k $K
for m in $MODULES; do modprobe -d k -S $K --show-depends $m 2>/dev/null | awk '/insmod/{print $2}'; done \
  | awk '!s[$0]++' > mods
while read m; do cp $m ird/lib/; basename $m; done < mods > ird/lib/order
cp init ird/init; chmod +x ird/init
(cd ird && find . | cpio -o -H newc --quiet | gzip -9) > root/boot/initrd.gz
cp k/boot/vmlinuz-* root/boot/vmlinuz
printf '::sysinit:/etc/rcS\n::ctrlaltdel:/bin/poweroff -f\n' > root/etc/inittab
cp start root/etc/rcS; chmod +x root/etc/rcS
cp payload root/data/payload
cat > root/boot/grub/grub.cfg <<I
set timeout=0
menuentry t { linux /boot/vmlinuz console=ttyS0 rw quiet panic=1
 initrd /boot/initrd.gz
}
I
truncate -s 64M disk.raw; parted -s disk.raw mklabel msdos mkpart primary ext4 1MiB 100% set 1 boot on
mke2fs -q -t ext4 -O ^metadata_csum_seed,^orphan_file -d root -L root p1.img 63M
dd if=p1.img of=disk.raw bs=1M seek=1 conv=notrunc status=none
grub-mkimage -O i386-pc -o core.img -p '(hd0,msdos1)/boot/grub' biosdisk part_msdos ext2 linux normal configfile
dd if=/usr/lib/grub/i386-pc/boot.img of=disk.raw bs=440 count=1 conv=notrunc status=none
dd if=core.img of=disk.raw bs=512 seek=1 conv=notrunc status=none
"""


@dataclass(frozen=True)
class GuestImage:
    """The disk of a guest that was never started."""

    path: Path
    payload_sum: str
    """What the guest says of its payload when it is whole."""


@dataclass(frozen=True)
class Boot:
    """What a guest said."""

    boots: int
    payload_sum: str


def why_not() -> str:
    """Return why no guest can run here; empty where one can."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if not Path("/usr/lib/grub/i386-pc/boot.img").exists():
        missing.append("grub-pc-bin")
    return f"missing: {', '.join(missing)}" if missing else ""


def guest_image() -> GuestImage:
    """Return the guest's disk, built now unless this machine has it."""
    _CACHE.mkdir(exist_ok=True, mode=0o700)
    payload = hashlib.shake_256(b"the payload of a guest").digest(_PAYLOAD_BYTES)
    image = GuestImage(_CACHE / "disk.raw", hashlib.sha256(payload).hexdigest()[:16])
    while (lock := ProcessLock.take(_CACHE / "lock")) is None:
        subprocess.run(["sleep", "0.2"], check=True)
    with lock:
        if not image.path.exists():
            with tempfile.TemporaryDirectory(dir=_CACHE) as folder:
                _build(Path(folder), payload)
                (Path(folder) / "disk.raw").rename(image.path)
    return image


def _build(folder: Path, payload: bytes) -> None:
    kernel = subprocess.run(
        ["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True, check=True
    )
    name = re.search(r"Depends: (linux-image-\S+)", kernel.stdout)
    assert name is not None, kernel.stdout
    subprocess.run(["apt-get", "download", name[1]], cwd=folder, check=True, capture_output=True)
    (package,) = folder.glob("linux-image-*.deb")
    subprocess.run(["dpkg-deb", "-x", package.name, "k"], cwd=folder, check=True)
    (folder / "init").write_text(_INIT)
    (folder / "start").write_text(_START)
    (folder / "payload").write_bytes(payload)
    environment = {**os.environ, "PROGRAMS": _PROGRAMS, "MODULES": _MODULES}
    done = subprocess.run(
        ["bash", "-c", _BUILD], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def boot_command(drive: str, console: Path) -> list[str]:
    """Return the command that boots a guest from a drive of QEMU, with its serial console in a file."""
    return [
        *("qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-display", "none", "-no-reboot", "-nic", "none"),
        *("-monitor", "none", "-serial", f"file:{console}", "-drive", f"{drive},format=raw,if=virtio"),
    ]


def what_it_said(console: Path) -> Boot:
    """Return what a guest said before it powered off."""
    text = console.read_text(errors="replace")
    found = re.search(r"GUEST-UP boots=(\d+) sum=([0-9a-f]{16})", text)
    assert found is not None, text[-2000:]
    return Boot(int(found[1]), found[2])


def problems_of(disk: Path, folder: Path) -> str:
    """Return what ``e2fsck`` finds wrong with the file system on a disk; empty where it is clean."""
    partition = folder / "partition.img"
    with disk.open("rb") as source, partition.open("wb") as target:
        source.seek(PARTITION_AT)
        shutil.copyfileobj(source, target)
    done = subprocess.run(["e2fsck", "-fn", str(partition)], capture_output=True, text=True, check=False)
    partition.unlink()
    return "" if done.returncode == 0 else done.stdout + done.stderr
