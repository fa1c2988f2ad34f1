"""Registration with the real rpcbind, in a network namespace of its own."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.nfs.failures import PortMapperRefused
from app.nfs.rpcbind import PortMapper
from tests.unit.nfs.conftest import Site

ROOT = Path(__file__).parents[3]
TOOLS = ("rpcbind", "unshare", "ip")
needs_rpcbind = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not all(map(shutil.which, TOOLS)),
    reason="needs root, rpcbind and network namespaces",
)
INSIDE = r"""
from app.core.nfs3 import MOUNT, NFS
from app.nfs.failures import NfsPortUnavailable
from app.nfs.rpcbind import PortMapper
from app.nfs.server import NfsServer

mapper = PortMapper()
assert mapper.is_there()
assert (mapper.found(NFS, 3), mapper.found(MOUNT, 3)) == (0, 0)
try:
    NfsServer("127.0.0.1").start()
except NfsPortUnavailable as refused:
    assert refused.params["port"] == "111", refused.params
else:
    raise AssertionError("rpcbind has that port")
with NfsServer("127.0.0.1", port=0, portmap_port=None) as server:
    mapper.register(server.port)
    mapper.register(server.port)
    assert (mapper.found(NFS, 3), mapper.found(MOUNT, 3)) == (server.port, server.port)
    mapper.unregister()
    mapper.unregister()
    assert (mapper.found(NFS, 3), mapper.found(MOUNT, 3)) == (0, 0)
print("all right")
"""
START = """
set -e
ip link set lo up
mount -t tmpfs none /run
rpcbind -w
for i in $(seq 100); do rpcinfo >/dev/null 2>&1 && break; sleep 0.05; done
"$@"
"""


@needs_rpcbind
def test_the_real_rpcbind_learns_our_programs_and_forgets_them() -> None:
    command = ["unshare", "-mnpf", "--kill-child", "bash", "-c", START, "bash", sys.executable, "-c", INSIDE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert "all right" in done.stdout, done.stdout + done.stderr


def test_nobody_and_somebody_else_at_the_port_are_told_apart(site: Site) -> None:
    assert site.server.portmap_port is not None
    ours = PortMapper(site.server.portmap_port)
    assert ours.is_there()
    with pytest.raises(PortMapperRefused):
        ours.register(2049)
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        nobody = PortMapper(closed_soon.getsockname()[1])
    assert not nobody.is_there()
    with pytest.raises(PortMapperRefused):
        nobody.register(2049)
    nobody.unregister()
