"""Web servers that follow a script, and readers of the disks that they serve."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.core.access import DatastoreFiles, DiskAddress, HttpsFile
from app.core.cancel import CancelToken
from app.core.tasklog import TaskLog
from app.transport.https import HttpsReader
from app.transport.options import TransportOptions
from tests.support.fakes import NullTaskLog
from tests.unit.transport.opening import options
from tests.unit.transport.scripted import CAPACITY as SCRIPTED_CAPACITY
from tests.unit.transport.scripted import Peer, ScriptedHost


@contextmanager
def reading(
    files: DatastoreFiles,
    disk: DiskAddress,
    *,
    tuned: TransportOptions | None = None,
    log: TaskLog | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[HttpsReader]:
    """Open a disk, and close it."""
    reader = HttpsReader(
        files, disk, options=tuned or options(), log=log or NullTaskLog(), cancel=cancel or CancelToken()
    )
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def web(*scripts: Callable[[Peer], None]) -> Iterator[tuple[ScriptedHost, DatastoreFiles]]:
    """Serve scripts inside TLS."""

    def secured(script: Callable[[Peer], None]) -> Callable[[Peer], None]:
        def run(peer: Peer) -> None:
            peer.start_tls()
            script(peer)

        return run

    with ScriptedHost(*(secured(script) for script in scripts)) as host:

        class Files:
            def https_file(self, datastore_path: str) -> HttpsFile:
                return HttpsFile(
                    host="127.0.0.1",
                    port=host.port,
                    target="/folder/vm/x.vmdk",
                    cookie="a=b",
                    thumbprint_sha256=host.certificate.thumbprint_sha256,
                )

        yield host, Files()


def next_range(peer: Peer) -> tuple[int, int]:
    """Receive a request, and return its range."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += peer.receive(1)
    first, last = head.partition(b"bytes=")[2].partition(b"\r")[0].split(b"-")
    return int(first), int(last)


def answer(peer: Peer, data: bytes, *, first: int = 0, total: int = SCRIPTED_CAPACITY, more: str = "") -> None:
    """Receive a request, and answer it with some bytes."""
    next_range(peer)
    peer.send(
        f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{first + len(data) - 1}/{total}\r\n"
        f"Content-Length: {len(data)}\r\n{more}\r\n".encode()
        + data
    )
    peer.wait_for_end()


def no_descriptor(peer: Peer) -> None:
    """Have no descriptor: by custom, the data is in the -flat file."""
    next_range(peer)
    peer.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    peer.wait_for_end()


def honest_probe(peer: Peer) -> None:
    """Answer the question for the first byte, and end the connection."""
    answer(peer, b"\0", more="Connection: close\r\n")
