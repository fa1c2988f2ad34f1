"""Disks are offered over NBD, listed and withdrawn, wherever the engine is."""

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from app.contract.log import ReadLog
from app.contract.offers import ListOffers, Offer, OfferPoint, WithdrawPoint
from app.contract.overview import ReadStatus
from app.domain.changes import Changed, Subject
from app.domain.events import Event
from app.domain.ids import PointId, StandbyId
from app.engine.errors import NoMoreOffers, OfferedBySocket
from app.repository import Repository
from app.repository.errors import PointMissing
from tests.contract.door.conftest import Site
from tests.support.refusals import refused
from tests.support.waiting import wait_until

needs_sockets = pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets")


def offer(site: Site, *, over_tcp: bool = False) -> Offer:
    """Back a VM up and offer its point."""
    lab = site.lab
    point = lab.backup(lab.host.add_vm("web"))
    return site.door.execute(OfferPoint(standby=lab.standby, point=point.id, over_tcp=over_tcp))


def reading(address: str) -> socket.socket:
    """Connect to an address and choose its disk, as an old client does."""
    parts = urlsplit(address)
    if parts.scheme == "nbd":
        assert parts.port is not None
        client = socket.create_connection((str(parts.hostname), parts.port), timeout=10)
    else:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(10)
        client.connect(unquote(parts.query.removeprefix("socket=")))
    name = unquote(parts.path[1:]).encode()
    client.recv(18, socket.MSG_WAITALL)
    client.sendall(struct.pack(">IQII", 3, 0x49484156454F5054, 1, len(name)) + name)
    assert len(client.recv(10, socket.MSG_WAITALL)) == 10
    return client


@needs_sockets
def test_what_is_offered_is_listed_until_it_is_withdrawn(site: Site) -> None:
    made = offer(site)
    assert (made.vm_name, made.over_tcp, made.is_read) == ("web", False, False)
    assert site.door.ask(ListOffers()) == (made,)
    assert site.door.ask(ReadStatus()).offers == 1
    again = OfferPoint(standby=made.standby, point=made.point)
    assert site.door.execute(again) == made
    site.door.execute(WithdrawPoint(standby=made.standby, point=made.point))
    assert site.door.ask(ListOffers()) == ()
    assert site.door.ask(ReadStatus()).offers == 0
    folder = Path(unquote(urlsplit(made.disks[0].address).query.removeprefix("socket="))).parent
    assert not folder.exists()
    site.door.execute(WithdrawPoint(standby=made.standby, point=made.point))


@pytest.mark.parametrize("over_tcp", [pytest.param(False, marks=needs_sockets), True])
def test_it_is_known_which_disk_is_read_now(site: Site, over_tcp: bool) -> None:
    made = offer(site, over_tcp=over_tcp)

    def connections() -> list[int]:
        return [disk.connections for (offer,) in [site.door.ask(ListOffers())] for disk in offer.disks]

    assert set(connections()) == {0}
    with reading(made.disks[0].address):
        wait_until(lambda: connections()[0] == 1, what="the client to be seen")
        assert sum(connections()) == 1
        assert site.door.ask(ListOffers())[0].is_read
    wait_until(lambda: sum(connections()) == 0, what="the client to be gone")


@pytest.mark.outside_tools("qemu-io")
@pytest.mark.parametrize("over_tcp", [pytest.param(False, marks=needs_sockets), True])
def test_a_client_that_comes_and_one_that_goes_announce_that_offers_have_changed(
    site: Site, over_tcp: bool
) -> None:
    heard: list[Event] = []
    unsubscribe = site.door.subscribe(heard.append)

    def is_announced() -> bool:
        return any(isinstance(event, Changed) and event.subject is Subject.OFFERS for event in heard)

    made = offer(site, over_tcp=over_tcp)
    wait_until(is_announced, what="the news of the offer")
    heard.clear()
    command = ["qemu-io", "-r", "-f", "raw", made.disks[0].address]
    # It keeps its connection until the end of its input.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as client:
        assert client.stdin is not None
        wait_until(is_announced, what="the news of the client")
        assert site.door.ask(ListOffers())[0].is_read
        heard.clear()
        client.stdin.close()
        wait_until(is_announced, what="the news that it is gone")
        assert not site.door.ask(ListOffers())[0].is_read
    unsubscribe()


def test_stopping_cuts_off_who_reads(site: Site) -> None:
    made = offer(site, over_tcp=True)
    with reading(made.disks[0].address) as client:
        site.door.execute(WithdrawPoint(standby=made.standby, point=made.point))
        assert client.recv(1) == b""


@needs_sockets
def test_over_tcp_is_refused_while_a_socket_offers_the_point(site: Site) -> None:
    made = offer(site)
    over_tcp = OfferPoint(standby=made.standby, point=made.point, over_tcp=True)
    with refused(OfferedBySocket) as caught:
        site.door.execute(over_tcp)
    assert "Stop that offer first" in caught.value.hint
    site.door.execute(WithdrawPoint(standby=made.standby, point=made.point))
    assert site.door.execute(over_tcp).over_tcp


def test_the_log_says_what_was_offered_and_holds_no_secret(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("DEBUG")
    made = offer(site, over_tcp=True)
    secrets = [disk.address.rpartition("/")[2] for disk in made.disks]
    assert all(len(bytes.fromhex(secret)) == 16 for secret in secrets)
    with reading(made.disks[0].address):
        pass
    site.door.execute(WithdrawPoint(standby=made.standby, point=made.point))
    rows = [row for row in site.door.ask(ReadLog(limit=50)).rows if row.action == "point.offer"]
    assert [row.line.code for row in rows] == ["point.withdrawn", "point.offered_over_tcp"]
    assert {row.subject for row in rows} == {"web"}
    told = caplog.text + repr(made) + repr(site.door.ask(ReadLog(limit=500)))
    assert [secret for secret in secrets if secret in told] == []


def test_a_point_that_is_not_there_leaves_no_offer(site: Site) -> None:
    made = offer(site, over_tcp=True)
    with refused(PointMissing):
        site.door.execute(OfferPoint(standby=made.standby, point=PointId("nothing/2026-01-01_00-00-00")))
    assert site.door.ask(ListOffers()) == (made,)


def test_an_engine_that_ends_offers_nothing_more(site: Site) -> None:
    made = offer(site, over_tcp=True)
    site.lab.engine.offers.close()
    assert site.door.ask(ListOffers()) == ()
    with refused(NoMoreOffers):
        site.door.execute(OfferPoint(standby=made.standby, point=made.point))


def test_a_standby_that_hangs_holds_up_no_other_offer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    made = offer(site, over_tcp=True)
    lab = site.lab
    other = lab.backup(lab.host.add_vm("db"))
    repositories, asked, released = lab.engine.services.repositories, threading.Event(), threading.Event()
    lease = repositories.lease

    @contextmanager
    def hanging(standby: StandbyId, target_path: str = "") -> Iterator[Repository]:
        asked.set()
        assert released.wait(30)
        with lease(standby, target_path) as repository:
            yield repository

    monkeypatch.setattr(repositories, "lease", hanging)
    late = OfferPoint(standby=lab.standby, point=other.id, over_tcp=True)
    waiting = threading.Thread(target=lambda: site.door.execute(late))
    waiting.start()
    try:
        assert asked.wait(30)
        assert site.door.ask(ListOffers()) == (made,)
        assert site.door.ask(ReadStatus()).offers == 1
        site.door.execute(WithdrawPoint(standby=made.standby, point=made.point))
        assert site.door.ask(ListOffers()) == ()
    finally:
        released.set()
        waiting.join(30)
    assert [offer.point for offer in site.door.ask(ListOffers())] == [other.id]
