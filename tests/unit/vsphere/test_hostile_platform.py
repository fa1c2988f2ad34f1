"""What answers at a platform's address can neither fill the console's memory nor block it for ever."""

import itertools
import socket
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyVmomi import vmodl

from app.core.clock import SystemClock
from app.domain.errors import OperationalError
from app.domain.ids import PlatformId
from app.domain.platforms import Platform
from app.simulator.tls import TlsIdentity
from app.vsphere import properties
from app.vsphere.answers import AnswerLimits, AnswerUnusable
from app.vsphere.inventory_updates import InventoryWatch
from app.vsphere.inventory_xml import retrieve_light
from app.vsphere.properties import Query
from app.vsphere.session import Connection, SessionOptions, VSphereSession
from tests.support.listening import listening

LIMITS = AnswerLimits(wire_bytes=8 << 20, content_bytes=8 << 20, depth=200, within_s=1.0, objects=5000)
NEVER_MORE_BYTES = 64 << 20
SLOWEST_S = 20.0

Answer = Callable[[socket.socket], None]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
VERSIONS = (
    b"<?xml version='1.0'?><namespaces version='1.0'><namespace><name>urn:vim25</name><version>8.0.3.0</version>"
    b"<priorVersions><version>7.0.3.0</version><version>6.7</version></priorVersions></namespace></namespaces>"
)
ENVELOPE = (
    b"<?xml version='1.0' encoding='UTF-8'?><soapenv:Envelope "
    b"xmlns:soapenv='http://schemas.xmlsoap.org/soap/envelope/' "
    b"xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xmlns:xsd='http://www.w3.org/2001/XMLSchema'>"
    b"<soapenv:Body>"
)
LAUGHS = b"<!DOCTYPE x [<!ENTITY a 'ha'>" + b"".join(
    b"<!ENTITY %c '%s'>" % (98 + level, b"&%c;" % (97 + level) * 10) for level in range(9)
)


def whole(body: bytes, extra: bytes = b"") -> bytes:
    return HEAD + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body


def endless_body(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"\r\n" + ENVELOPE)
    while True:
        connection.sendall(b"<a>" + b"x" * 65_000 + b"</a>")


def endless_head(connection: socket.socket) -> None:
    connection.sendall(HEAD)
    for number in itertools.count():
        connection.sendall(b"X-Header-%d: %s\r\n" % (number, b"y" * 1000))


def drop_by_drop(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"\r\n" + ENVELOPE)
    while True:
        time.sleep(0.1)
        connection.sendall(b" ")


def head_drop_by_drop(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"X: ")
    while True:
        time.sleep(0.1)
        connection.sendall(b"y")


def silent(connection: socket.socket) -> None:
    connection.recv(1)


def bomb(connection: socket.socket) -> None:
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS + 16)
    blanks = b" " * (1 << 20)
    packed = packer.compress(ENVELOPE) + b"".join(packer.compress(blanks) for _ in range(512)) + packer.flush()
    connection.sendall(whole(packed, b"Content-Encoding: gzip\r\n"))


def deep(connection: socket.socket) -> None:
    tag = b"<RetrieveServiceContentResponse xmlns='urn:vim25'><returnval xsi:type='ArrayOfAnyType'>"
    connection.sendall(whole(ENVELOPE + tag + b"<v xsi:type='ArrayOfAnyType'>" * 100_000))


def laughing(connection: socket.socket) -> None:
    body = LAUGHS + b"]>" + ENVELOPE.partition(b"?>")[2] + b"<a>&j;</a>"
    connection.sendall(whole(body))


def reading_files(connection: socket.socket) -> None:
    body = b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + ENVELOPE.partition(b"?>")[2] + b"<a>&a;</a>"
    connection.sendall(whole(body))


def lying_about_its_length(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 1000000000000\r\n\r\n" + ENVELOPE)


def nonsense(connection: socket.socket) -> None:
    body = b"<RetrieveServiceContentResponse xmlns='urn:vim25'><returnval xsi:type='Nothing'><q/></returnval>"
    end = b"</RetrieveServiceContentResponse></soapenv:Body></soapenv:Envelope>"
    connection.sendall(whole(ENVELOPE + body + end))


def in_utf_16(connection: socket.socket) -> None:
    connection.sendall(whole((LAUGHS + b"]><a>&j;</a>").decode().encode("utf-16")))


def compressed_otherwise(connection: socket.socket) -> None:
    connection.sendall(whole(b"\x78\x9c", b"Content-Encoding: br\r\n"))


HOSTILE: dict[str, Answer] = {
    made.__name__: made
    for made in (
        endless_body,
        endless_head,
        drop_by_drop,
        head_drop_by_drop,
        silent,
        bomb,
        deep,
        laughing,
        reading_files,
        lying_about_its_length,
        nonsense,
        in_utf_16,
        compressed_otherwise,
    )
}


@contextmanager
def server(directory: Path, answers: Callable[[bytes], Answer]) -> Iterator[tuple[int, str]]:
    """Answer each request as ``answers`` says of its first line; yields port and thumbprint."""
    identity = TlsIdentity(directory, "vcenter.lab")

    def serve(plain: socket.socket, _number: int) -> None:
        with suppress(OSError), identity.context.wrap_socket(plain, server_side=True) as connection:
            connection.settimeout(5)
            request = connection.recv(65536)
            while b"\r\n\r\n" not in request:
                request += connection.recv(65536)
            answers(request)(connection)

    with listening(serve) as port:
        yield port, identity.thumbprint_sha256


def session_at(port: int, thumbprint: str) -> VSphereSession:
    platform = Platform(
        id=PlatformId("p1"),
        name="vc",
        address="127.0.0.1",
        port=port,
        user="administrator",
        thumbprint_sha256=thumbprint,
    )
    options = SessionOptions(connect_timeout_s=2.0, read_timeout_s=0.7, limits=LIMITS)
    return VSphereSession(platform, "secret", clock=SystemClock(), options=options)


@contextmanager
def within_bounds() -> Iterator[None]:
    tracemalloc.start()
    begun = time.monotonic()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < NEVER_MORE_BYTES
        assert time.monotonic() - begun < SLOWEST_S
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("asked", ["versions", "content"])
def test_a_hostile_answer_ends_in_an_error_that_names_the_platform(
    tmp_path: Path, hostile: Answer, asked: str
) -> None:
    if hostile is bomb and asked == "versions":
        pytest.skip("the list of versions is asked for without compression")

    def answers(request: bytes) -> Answer:
        if request.startswith(b"GET /sdk/vimServiceVersions.xml") and asked != "versions":
            return lambda connection: connection.sendall(whole(VERSIONS, b"Connection: close\r\n"))
        return hostile

    with server(tmp_path, answers) as (port, thumbprint):
        session = session_at(port, thumbprint)
        try:
            with within_bounds(), pytest.raises(OperationalError) as refused:
                session.open()
        finally:
            session.close()
    assert "127.0.0.1" in refused.value.message


class _EndlessPages:
    """A stub whose property collector always has another page."""

    def __init__(self) -> None:
        self.pages = 0

    def invoke_raw(self, *_: object) -> bytes:
        self.pages += 1
        return (
            ENVELOPE + b"<RetrievePropertiesExResponse xmlns='urn:vim25'><returnval><token>%d</token></returnval>"
            b"</RetrievePropertiesExResponse></soapenv:Body></soapenv:Envelope>" % self.pages
        )


def test_an_inventory_of_endless_pages_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(properties, "LIMITS", LIMITS)
    stub = _EndlessPages()

    content = SimpleNamespace(propertyCollector=vmodl.query.PropertyCollector("pc", None))
    with pytest.raises(AnswerUnusable, match="objects"):
        list(retrieve_light(Query(stub, content), []))
    assert stub.pages <= LIMITS.objects + 2


def test_changes_without_an_end_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(properties, "LIMITS", LIMITS)
    asked: list[int] = []

    class Stub:
        """A stub whose property collector always has another change."""

        def invoke_raw(self, *_: object) -> bytes:
            asked.append(1)
            return (
                ENVELOPE + b"<WaitForUpdatesExResponse xmlns='urn:vim25'><returnval><version>%d</version>"
                b"<truncated>true</truncated></returnval></WaitForUpdatesExResponse></soapenv:Body>"
                b"</soapenv:Envelope>" % len(asked)
            )

    class Session:
        """A session that is good for ever."""

        def run(self, action: Callable[[Any], Any]) -> Any:
            made = SimpleNamespace(
                CreatePropertyCollector=lambda: collector, CreateContainerView=lambda **_: collector
            )
            content = SimpleNamespace(viewManager=made, propertyCollector=made, rootFolder=None)
            return action(Connection(Stub(), content, 1))  # type: ignore[arg-type]

    collector = vmodl.query.PropertyCollector("pc", None)
    monkeypatch.setattr(vmodl.query.PropertyCollector, "CreateFilter", lambda *_, **__: None)
    with pytest.raises(AnswerUnusable, match="objects"):
        InventoryWatch(Session()).look()  # type: ignore[arg-type]
    assert len(asked) <= LIMITS.objects + 2
