import base64
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.simulator.folder import FolderHandler, FolderPorts
from app.simulator.storage import DatastorePath, DiskInUse, DiskStore, SimDatastore

COOKIE = {"Cookie": 'vmware_soap_session="live"'}
MIB = 1 << 20


@dataclass(frozen=True)
class Session:
    privileges: frozenset[str] | None = None

    def holds(self, privilege: str) -> bool:
        return self.privileges is None or privilege in self.privileges


@dataclass
class Sessions:
    live: dict[str, Session] = field(default_factory=lambda: {"live": Session()})
    accounts: dict[tuple[str, str], Session] = field(default_factory=dict)

    def authenticated(self, cookie: str | None) -> Session | None:
        return self.live.get(cookie or "")

    def account(self, name: str, password: str) -> Session | None:
        return self.accounts.get((name, password))


@dataclass(frozen=True)
class Cut:
    stall_s: float | None = None
    meanwhile: None = None


@dataclass
class Faults:
    cut_after_bytes: int | None = None
    sent_bytes: int = 0

    def https_sent(self, n_bytes: int) -> Cut | None:
        self.sent_bytes += n_bytes
        if self.cut_after_bytes is not None and self.sent_bytes > self.cut_after_bytes:
            self.cut_after_bytes = None
            return Cut()
        return None


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Lab:
    """The handler behind a plain HTTP server."""

    def __init__(self, directory: Path) -> None:
        self.datastore = SimDatastore("ds 1", directory / "ds1", 64 * MIB)
        self.vsan = SimDatastore("vsan", directory / "vsan", 64 * MIB, "vsan")
        datastores = {"ds 1": self.datastore, "vsan": self.vsan}
        self.store = DiskStore(datastores)
        self.sessions = Sessions()
        self.faults = Faults()
        self.locked: set[DatastorePath] = set()
        handler = FolderHandler(
            FolderPorts(
                sessions=self.sessions,
                datastores=datastores,
                disks=self.store,
                has_datacenter=lambda name: name == "Shanghai",
                is_locked=lambda path: path in self.locked,
                faults=self.faults,
            )
        )

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                assert FolderHandler.serves(self.path)
                handler.handle(self)

            do_HEAD = do_PUT = do_DELETE = do_GET

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.store.close()

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        body: bytes | None = None,
        query: str = "dcPath=Shanghai&dsName=ds%201",
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=30)
        try:
            connection.request(method, f"/folder/{path}?{query}", body, COOKIE if headers is None else headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.close()


def test_a_file_is_fetched_whole(lab: Lab) -> None:
    lab.datastore.write_file("web 01/web.vmx", b'displayName = "web"\n')
    answer = lab.ask("GET", "web%2001/web.vmx")
    assert (answer.status, answer.body) == (200, b'displayName = "web"\n')
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=65536-2097151", 65536, 2 * MIB),
        ("bytes=3145000-", 3_145_000, 3 * MIB),
        ("bytes=3145000-99999999", 3_145_000, 3 * MIB),
        ("bytes=-100", 3 * MIB - 100, 3 * MIB),
        ("bytes=-99999999", 0, 3 * MIB),
    ],
)
def test_a_range_comes_as_206_and_says_which_it_is(lab: Lab, asked: str, start: int, end: int) -> None:
    disk = lab.store.create("[ds 1] web/web.vmdk", 3 * MIB)
    disk.write(65530, b"some data" * 1000)
    disk.write(3 * MIB - 5, b"tail!")
    answer = lab.ask("GET", "web/web-flat.vmdk", {**COOKIE, "Range": asked})
    assert answer.status == 206
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{3 * MIB}"
    assert answer.headers["Content-Length"] == str(end - start)
    assert answer.body == disk.read(start, end - start)


def test_a_range_behind_the_end_is_refused_with_the_size(lab: Lab) -> None:
    lab.datastore.write_file("a", b"12345")
    answer = lab.ask("GET", "a", {**COOKIE, "Range": "bytes=5-9"})
    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */5")


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "bytes=4-2", "bytes=-", "lines=1-2", "bytes=a-b"])
def test_other_ranges_give_the_whole_file(lab: Lab, asked: str) -> None:
    lab.datastore.write_file("a", b"12345")
    answer = lab.ask("GET", "a", {**COOKIE, "Range": asked})
    assert (answer.status, answer.body) == (200, b"12345")


def test_head_tells_the_size_without_a_body(lab: Lab) -> None:
    lab.store.create("[ds 1] web/web.vmdk", 3 * MIB)
    answer = lab.ask("HEAD", "web/web-flat.vmdk")
    assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, str(3 * MIB), b"")


# ---- who ------------------------------------------------------------------------------------------------------


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Cookie": "vmware_soap_session=dead"},
        {"Cookie": "other=live"},
        {"Cookie": "\x01bad;;=="},
        basic("root", "wrong"),
        {"Authorization": "Basic %%%"},
        {"Authorization": "Bearer live"},
    ],
)
def test_a_stranger_is_asked_to_log_in(lab: Lab, headers: dict[str, str]) -> None:
    lab.sessions.accounts["root", "pässwort:1"] = Session()
    lab.datastore.write_file("a", b"x")
    answer = lab.ask("GET", "a", headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    "headers", [COOKIE, {"Cookie": "a=b; vmware_soap_session=live"}, basic("root", "pässwort:1")]
)
def test_a_cookie_or_a_password_is_enough(lab: Lab, headers: dict[str, str]) -> None:
    lab.sessions.accounts["root", "pässwort:1"] = Session()
    lab.datastore.write_file("a", b"x")
    assert lab.ask("GET", "a", headers).status == 200


def test_reading_and_writing_need_their_privileges(lab: Lab) -> None:
    lab.datastore.write_file("a", b"x")
    lab.sessions.live["live"] = Session(frozenset({"Datastore.Browse"}))
    assert lab.ask("GET", "a").status == 200
    assert lab.ask("PUT", "a", body=b"y").status == 403
    lab.sessions.live["live"] = Session(frozenset())
    assert lab.ask("GET", "a").status == 403
    lab.sessions.accounts["op", "pw"] = Session(frozenset({"Datastore.FileManagement"}))
    assert lab.ask("GET", "a", basic("op", "pw")).status == 403
    assert lab.ask("PUT", "a", basic("op", "pw"), body=b"y").status == 200


# ---- what -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("nothing", "dcPath=Shanghai&dsName=ds%201"),
        ("web", "dcPath=Shanghai&dsName=ds%201"),
        ("", "dcPath=Shanghai&dsName=ds%201"),
        ("web/web.vmdk", "dcPath=Shanghai&dsName=other"),
        ("web/web.vmdk", "dcPath=Shanghai"),
        ("web/web.vmdk", "dcPath=Beijing&dsName=ds%201"),
        ("web/web.vmdk", "dsName=ds%201"),
    ],
)
def test_what_is_not_there_is_not_found(lab: Lab, path: str, query: str) -> None:
    lab.store.create("[ds 1] web/web.vmdk", MIB)
    assert lab.ask("GET", path, query=query).status == 404


@pytest.mark.parametrize(
    "path", ["../secret", "%2e%2e/secret", "web/%2E%2E/..%2fsecret", "a%00b", "%ff", "a%5C..%5Cb"]
)
def test_nothing_outside_of_the_datastore_can_be_reached(lab: Lab, path: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    assert lab.ask("GET", path).status == 400
    assert lab.ask("PUT", path, body=b"x").status == 400
    assert (tmp_path / "secret").read_text() == "x"


def test_what_a_running_vm_writes_to_is_refused_and_its_frozen_parent_is_served(lab: Lab) -> None:
    disk = lab.store.create("[ds 1] web/web.vmdk", MIB)
    disk.write(0, b"frozen")
    leaf = disk.branch("[ds 1] web/web-000001.vmdk")
    lab.locked |= set(leaf.files)
    assert lab.ask("GET", "web/web-000001-delta.vmdk").status == 403
    assert lab.ask("HEAD", "web/web-000001-delta.vmdk").status == 403
    assert lab.ask("GET", "web/web-flat.vmdk", {**COOKIE, "Range": "bytes=0-5"}).body == b"frozen"


def test_disks_on_vsan_are_no_files(lab: Lab) -> None:
    lab.store.create("[vsan] web/web.vmdk", MIB)
    query = "dcPath=Shanghai&dsName=vsan"
    assert lab.ask("GET", "web/web-flat.vmdk", query=query).status == 404
    assert lab.ask("GET", "web/web.vmdk", query=query).status == 200


def test_a_disk_is_not_consolidated_while_it_is_downloaded(lab: Lab) -> None:
    disk = lab.store.create("[ds 1] web/web.vmdk", 48 * MIB)
    child = disk.branch("[ds 1] web/web-000001.vmdk")
    connection = http.client.HTTPConnection("127.0.0.1", lab.server.server_port, timeout=30)
    connection.request("GET", "/folder/web/web-flat.vmdk?dcPath=Shanghai&dsName=ds%201", headers=COOKIE)
    response = connection.getresponse()
    response.read(10)
    with pytest.raises(DiskInUse):
        child.merge_into_parent(wait_s=0.01)
    response.read()
    connection.close()
    child.merge_into_parent()


def test_a_scripted_fault_cuts_the_download_short(lab: Lab) -> None:
    lab.store.create("[ds 1] web/web.vmdk", 8 * MIB)
    lab.faults.cut_after_bytes = 3 * MIB
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        lab.ask("GET", "web/web-flat.vmdk")
    assert len(lab.ask("GET", "web/web-flat.vmdk").body) == 8 * MIB


# ---- writing --------------------------------------------------------------------------------------------------


def test_a_file_is_put_and_replaced(lab: Lab) -> None:
    lab.datastore.write_file("web/web.vmx", b"x")
    assert lab.ask("PUT", "web/web.nvram", body=b"n" * 3_000_000).status == 201
    assert lab.ask("GET", "web/web.nvram").body == b"n" * 3_000_000
    assert lab.ask("PUT", "web/web.nvram", body=b"small").status == 200
    assert lab.ask("GET", "web/web.nvram").body == b"small"
    assert lab.datastore.used_bytes == len(b"x") + len(b"small")


def test_a_file_of_a_guest_with_a_like_name_is_not_the_worse_for_a_put(lab: Lab) -> None:
    lab.datastore.write_file("web/web.vmx", b"x")
    assert lab.ask("PUT", "web/.web.nvram.part", body=b"precious").status == 201
    assert lab.ask("PUT", "web/web.nvram", body=b"new").status == 201
    assert lab.ask("GET", "web/.web.nvram.part").body == b"precious"


def test_a_file_is_not_put_where_there_is_no_directory(lab: Lab) -> None:
    lab.datastore.write_file("web/web.vmx", b"x")
    assert lab.ask("PUT", "nowhere/a", body=b"x").status == 404
    assert lab.ask("PUT", "web", body=b"x").status == 404
    assert lab.ask("PUT", "", body=b"x").status == 404


def test_a_file_of_a_disk_is_not_replaced(lab: Lab) -> None:
    disk = lab.store.create("[ds 1] web/web.vmdk", MIB)
    for path in disk.files:
        assert lab.ask("PUT", path.relative, body=b"x").status == 403
    assert disk.read(0, 1) == b"\0"


def test_a_full_datastore_takes_nothing(lab: Lab) -> None:
    lab.datastore.write_file("a", b"old")
    lab.datastore.book("ballast", lab.datastore.free_bytes)
    answer = lab.ask("PUT", "a", body=b"x" * 1000)
    assert answer.status == 507
    assert lab.ask("GET", "a").body == b"old"


def test_a_refused_body_does_not_hide_the_answer(lab: Lab) -> None:
    assert lab.ask("PUT", "nowhere/a", body=bytes(8 * MIB)).status == 404


def test_other_methods_are_refused(lab: Lab) -> None:
    answer = lab.ask("DELETE", "a")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, PUT")
    assert not FolderHandler.serves("/folders/a")
    assert FolderHandler.serves("/folder?dsName=x")
