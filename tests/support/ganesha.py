"""A real NFS server, nfs-ganesha, in a network namespace of its own that this process reaches over a cable.

It wants port 111 for a port mapper of its own, which the namespace gives it; nothing of this machine's is touched.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.waiting import wait_until

TOOLS: Final = ("ganesha.nfsd", "rpcbind", "ip", "unshare")
_CONFIGURATION: Final = """
NFS_CORE_PARAM {{
  NFS_Port = 2049; MNT_Port = 20048; Protocols = 3; NFS_Protocols = 3;
  Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false;
}}
NFSv4 {{ RecoveryRoot = {work}/recovery; Graceless = true; }}
EXPORT_DEFAULTS {{ SecType = sys; Transports = TCP; Protocols = 3; }}
EXPORT {{
  Export_Id = 1; Path = {export}; Pseudo = /export; Access_Type = {access}; Squash = {squash};
  FSAL {{ Name = VFS; }}
}}
LOG {{ Default_Log_Level = EVENT; }}
NFS_KRB5 {{ Active_krb5 = false; }}
"""
_START: Final = """
mount -t tmpfs none /run
rpcbind -f -w &
for i in $(seq 100); do test -S /run/rpcbind.sock && break; sleep 0.05; done
exec ganesha.nfsd -F -f {work}/ganesha.conf -L {work}/ganesha.log -p {work}/ganesha.pid
"""


class Ganesha:
    """The server, and the directory that it exports.

    Attributes:
        host: its address.
        export: path of the export, the same as on this machine.
        here: the address under which the server sees this machine.
    """

    def __init__(self, export: Path, work: Path, *, squashes_root: bool, is_writable: bool = False) -> None:
        number = os.getpid() % 60_000
        self.name = f"sf{number}"
        self._cable = f"sfc{number}"
        self.here = f"10.{199 + number % 5}.{number // 5 // 240}.{number // 5 % 240 + 1}"
        self.host = f"10.{204 + number % 5}.{number // 5 // 240}.{number // 5 % 240 + 1}"
        self.export = export
        self._work = work
        self._process: subprocess.Popen[bytes] | None = None
        work.mkdir(parents=True, exist_ok=True)
        (work / "recovery").mkdir(exist_ok=True)
        squash = "Root_Squash" if squashes_root else "No_Root_Squash"
        text = _CONFIGURATION.format(work=work, export=export, squash=squash, access="RW" if is_writable else "RO")
        (work / "ganesha.conf").write_text(text, encoding="utf-8")
        (work / "start.sh").write_text(_START.format(work=work), encoding="utf-8")

    def lay_cable(self) -> None:
        """Make the namespace and connect it with this machine."""
        name, cable = self.name, self._cable
        for words in (
            f"netns add {name}",
            f"link add {cable} type veth peer name eth0 netns {name}",
            f"addr add {self.here}/32 dev {cable}",
            f"link set {cable} up",
            f"-n {name} addr add {self.host}/32 dev eth0",
            f"-n {name} link set eth0 up",
            f"-n {name} link set lo up",
            f"route add {self.host}/32 dev {cable} src {self.here}",
            f"-n {name} route add {self.here}/32 dev eth0",
        ):
            subprocess.run(["ip", *words.split()], check=True, capture_output=True)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        log = self._work / "ganesha.log"
        begun = log.read_text(encoding="utf-8").count("NFS SERVER INITIALIZED") if log.exists() else 0
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", self.name, "unshare", "-m", "bash", str(self._work / "start.sh")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(
            lambda: (
                log.exists()
                and log.read_text(encoding="utf-8", errors="replace").count("NFS SERVER INITIALIZED") > begun
            ),
            what="nfs-ganesha",
            deadline_s=30,
        )

    def kill(self) -> None:
        """Kill everything in the namespace, as a power failure of the server would."""
        found = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False)
        for pid in found.stdout.split():
            subprocess.run(["kill", "-9", pid], check=False, capture_output=True)
        if self._process is not None:
            self._process.wait(timeout=30)
            self._process = None

    def remove(self) -> None:
        """Take everything away."""
        self.kill()
        subprocess.run(["ip", "link", "del", self._cable], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)
        shutil.rmtree(self._work, ignore_errors=True)


@contextmanager
def ganesha(
    export: Path, work: Path, *, squashes_root: bool = False, starts: bool = True, is_writable: bool = False
) -> Iterator[Ganesha]:
    """Run the server for the time of the block; without root's rights the test is skipped.

    Args:
        export: the directory that it exports; it has to be there when the server starts.
        work: where the server keeps its files.
        squashes_root: whether a client's root has no more rights than anybody.
        starts: False leaves that to the test.
        is_writable: whether clients may write.
    """
    if os.geteuid():
        pytest.skip("a network namespace can be made as root only")
    server = Ganesha(export, work, squashes_root=squashes_root, is_writable=is_writable)
    try:
        server.lay_cable()
        if starts:
            server.start()
        yield server
    finally:
        server.remove()
