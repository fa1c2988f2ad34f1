"""debugctl and disks over NBD, with a real engine behind the door."""

import json
import sys

import pytest

from app.contract.offers import ListOffers
from app.domain.restore_point import RestorePoint
from tests.support.engine_lab import EngineLab
from tests.unit.cli.conftest import Run


@pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets")
def test_a_point_is_offered_by_a_socket_listed_and_stopped(run: Run, lab: EngineLab, point: RestorePoint) -> None:
    status, out, err = run("nbd", "offer", point.id)
    (offer,) = lab.engine.ask(ListOffers())
    assert (status, err, offer.over_tcp) == (0, "", False)
    for disk in offer.disks:
        assert any(line.split() == ["Address:", disk.address] for line in out.splitlines())
    status, out, _ = run("nbd", "list")
    assert (status, offer.disks[0].address in out, "not read now" in out) == (0, True, True)
    assert f"{offer.since.astimezone():%Y-%m-%d %H:%M}" in out
    assert run("nbd", "stop", point.id)[0] == 0
    assert lab.engine.ask(ListOffers()) == ()
    status, _, err = run("nbd", "stop", point.id)
    assert (status, "no offered restore point named" in err) == (1, True)
    assert run("nbd", "list")[:2] == (0, "")


def test_over_tcp_the_secret_is_shown_and_said_to_be_one(run: Run, lab: EngineLab, point: RestorePoint) -> None:
    status, out, err = run("nbd", "offer", point.id, "--tcp", "--standby", "standby")
    (offer,) = lab.engine.ask(ListOffers())
    assert (status, offer.over_tcp, offer.disks[0].address in out) == (0, True, True)
    assert "like a password" in err
    assert "like a password" in run("nbd", "list")[2]
    assert run("nbd", "stop", point.id, "--standby", "standby")[0] == 0


def test_json_has_the_addresses_for_programs(run: Run, lab: EngineLab, point: RestorePoint) -> None:
    made = json.loads(run("--json", "nbd", "offer", point.id, "--tcp")[1])
    listed = json.loads(run("--json", "nbd", "list")[1])
    assert listed == [made]
    (offer,) = lab.engine.ask(ListOffers())
    assert [disk["address"] for disk in made["disks"]] == [disk.address for disk in offer.disks]
    assert [disk["connections"] for disk in made["disks"]] == [0] * len(offer.disks)


def test_a_secret_cannot_be_given_on_the_command_line(run: Run, lab: EngineLab, point: RestorePoint) -> None:
    assert run("nbd", "offer", point.id, "--tcp", "--name", "00" * 16)[0] == 2
    assert run("nbd", "offer", "nobody")[0] == 1
    assert lab.engine.ask(ListOffers()) == ()
