"""Whatever a client sends, the server answers it or hangs up, and goes on serving others.

What is a bug, and not the client's, is logged as an error, which fails a test.
"""

import socket
import struct
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.nfs_client import MOUNT, NFS, PORTMAP, NfsClient, opaque, u32
from tests.unit.nfs.conftest import SECRET, Site

MANY = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="sf-nfs-") as folder:
        made = Site(Path(folder) / "volume")
        try:
            yield made
        finally:
            made.stop()


def still_serves(site: Site) -> None:
    with NfsClient(site.server.port) as client:
        assert client.facts(client.mount(f"/{SECRET}")).kind == 2


def hears(client: socket.socket) -> None:
    """Read what the server says, until it hangs up or has nothing more to say."""
    client.shutdown(socket.SHUT_WR)
    client.settimeout(10)
    with suppress(ConnectionError):
        while client.recv(1 << 16):
            pass


numbers = st.sampled_from([0, 1, 2, 3, 16, 255, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]) | st.integers(
    0, (1 << 32) - 1
)


@st.composite
def arguments(draw: st.DrawFn, handles: list[bytes]) -> bytes:
    """Make arguments of parts that mean something, in any order."""
    parts = st.one_of(
        numbers.map(u32),
        st.sampled_from(handles).map(opaque),
        st.sampled_from([b"a", b"..", b"x" * 300, b"a/b", b""]).map(opaque),
        st.integers(0, (1 << 64) - 1).map(lambda value: struct.pack(">Q", value)),
        st.binary(max_size=40),
        st.binary(max_size=200).map(opaque),
    )
    return b"".join(draw(st.lists(parts, max_size=8)))


@MANY
@given(data=st.data(), procedure=st.integers(0, 25))
def test_calls_with_any_arguments(site: Site, data: st.DataObject, procedure: int) -> None:
    with NfsClient(site.server.port) as client:
        root = client.mount(f"/{SECRET}")
        file = client.create(root, "a")
        body = data.draw(arguments([root, file, bytes(16), root[:8] + bytes(8), b"", b"x" * 64]))
        program, version = data.draw(st.sampled_from([(NFS, 3), (NFS, 3), (MOUNT, 3), (PORTMAP, 2), (NFS, 4)]))
        client.send(procedure, body, program=program, version=version)
        reply = client.record()
        assert reply[4:8] == u32(1)
        assert len(reply) <= (1 << 20) + 200
    still_serves(site)


@MANY
@given(junk=st.binary(max_size=300), pieces=st.integers(1, 5))
def test_bytes_that_are_no_calls(site: Site, junk: bytes, pieces: int) -> None:
    with socket.create_connection(("127.0.0.1", site.server.port), timeout=10) as client:
        with suppress(ConnectionError):
            for start in range(0, len(junk), max(1, len(junk) // pieces)):
                client.sendall(junk[start : start + max(1, len(junk) // pieces)])
        with suppress(OSError):
            hears(client)
    still_serves(site)


@MANY
@given(
    head=st.lists(numbers, min_size=1, max_size=14),
    rest=st.binary(max_size=100),
    cut=st.integers(0, 60),
    is_last=st.booleans(),
)
def test_records_with_wrong_heads(site: Site, head: list[int], rest: bytes, cut: int, *, is_last: bool) -> None:
    call = u32(*head) + rest
    call = call[: max(0, len(call) - cut)]
    with socket.create_connection(("127.0.0.1", site.server.port), timeout=10) as client:
        with suppress(ConnectionError):
            client.sendall(u32((0x8000_0000 if is_last else 0) | len(call)) + call)
        with suppress(OSError):
            hears(client)
    still_serves(site)


@MANY
@given(datagram=st.binary(max_size=200) | st.lists(numbers, max_size=16).map(lambda words: u32(*words)))
def test_datagrams_of_any_kind(site: Site, datagram: bytes) -> None:
    assert site.server.portmap_port is not None
    good = u32(9, 0, 2, PORTMAP, 2, 3, 0, 0, 0, 0) + u32(NFS, 3, 6, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.sendto(datagram, ("127.0.0.1", site.server.portmap_port))
        client.sendto(good, ("127.0.0.1", site.server.portmap_port))
        while not (answer := client.recv(2000)).startswith(u32(9, 1, 0, 0, 0, 0, site.server.port)):
            assert len(answer) <= 200, "an answer is no larger than what was asked by far"


def test_a_client_that_takes_no_answers_costs_bounded_memory(site: Site) -> None:
    """A megabyte is asked for a thousand times, and nothing is read."""
    with NfsClient(site.server.port) as client:
        file = client.create(client.mount(f"/{SECRET}"), "large")
        client.write(file, (1 << 20) - 1, b"x")
        call = u32(1, 0, 2, NFS, 3, 6, 0, 0, 0, 0) + opaque(file)
        before = psutil.Process().memory_info().rss
        for number in range(1000):
            body = u32(number) + call[4:] + struct.pack(">QI", 0, 1 << 20)
            client.socket.sendall(u32(0x8000_0000 | len(body)) + body)
        for _ in range(50):
            still_serves(site)
        assert psutil.Process().memory_info().rss - before < 64 << 20
        answered = {int.from_bytes(client.record()[:4], "big") for _ in range(1000)}
        assert answered == set(range(1000)), "whoever begins to read gets everything"
