"""debugctl and pins: what is in use is listed, and ended only where the operator confirms it."""

import json
import platform
from functools import partial

import pytest

from app.contract.offers import OfferPoint
from app.contract.pins import ListPins, PinProblem, PinRow
from app.domain.restore_point import RestorePoint
from app.repository import PinPurpose, Repository
from tests.support.engine_lab import EngineLab
from tests.unit.cli.conftest import Run


@pytest.fixture
def pin(lab: EngineLab, point: RestorePoint) -> str:
    """A pin of another console, which restores."""
    other = Repository.open(
        lab.directory / "standby", local_dir=lab.directory / "other", clock=lab.clock, holder="of another console"
    )
    try:
        return other.pins.take(point.id, PinPurpose.RESTORE).id
    finally:
        other.close()


@pytest.fixture
def run(run: Run) -> Run:
    """Answers yes where anything is asked; nothing ends a pin for that."""
    return partial(run, given="y\n")


def pins_of(lab: EngineLab) -> tuple[PinRow, ...]:
    return lab.engine.ask(ListPins(standby=lab.standby))


def test_what_another_console_uses_is_listed(run: Run, point: RestorePoint, pin: str) -> None:
    status, out, err = run("pin", "list", "standby")
    assert (status, err) == (0, "")
    heading, _, row = out.splitlines()
    assert heading.split()[:3] == ["pin", "VM", "point"]
    for text in (
        pin,
        "web",
        point.id,
        "restore",
        platform.node(),
        f"{point.created_at.astimezone():%Y-%m-%d %H:%M}",
    ):
        assert text in row
    assert row.split()[-1] == "/"


def test_a_standby_where_nothing_is_in_use_has_an_empty_list(run: Run, point: RestorePoint) -> None:
    assert json.loads(run("pin", "list", "standby", "--json")[1]) == []
    status, _, err = run("pin", "list", "nowhere")
    assert (status, "no standby machine named" in err) == (1, True)


def test_without_yes_it_says_what_it_would_do_and_changes_nothing(
    run: Run, lab: EngineLab, point: RestorePoint, pin: str
) -> None:
    status, out, err = run("pin", "end", "standby", pin)
    assert (status, out) == (1, "")
    for words in (point.id, "web", platform.node(), "(restore)", "does not exist any more", "--yes"):
        assert words in err
    assert [row.id for row in pins_of(lab)] == [pin]


def test_with_yes_it_ends_the_pin(run: Run, lab: EngineLab, point: RestorePoint, pin: str) -> None:
    status, out, err = run("pin", "end", "standby", pin[:6], "--target-path", "/", "--yes")
    assert (status, err) == (0, "")
    assert out.splitlines()[0].split() == ["Ended:", pin]
    assert pins_of(lab) == ()
    status, _, err = run("pin", "end", "standby", pin, "--yes")
    assert (status, "no pin named" in err) == (1, True)


def test_a_pin_of_another_directory_is_not_meant(run: Run, lab: EngineLab, pin: str) -> None:
    assert run("pin", "end", "standby", pin, "--target-path", "elsewhere", "--yes")[0] == 1
    assert [row.id for row in pins_of(lab)] == [pin]


def test_json_has_what_was_ended(run: Run, lab: EngineLab, point: RestorePoint, pin: str) -> None:
    (listed,) = json.loads(run("pin", "list", "standby", "--json")[1])
    ended = json.loads(run("--json", "pin", "end", "standby", pin, "--yes")[1])
    assert ended == listed
    assert (ended["id"], ended["point"], ended["vm_name"], ended["is_ours"]) == (pin, point.id, "web", False)


def test_work_of_this_console_keeps_its_pin(run: Run, lab: EngineLab, point: RestorePoint) -> None:
    lab.engine.execute(OfferPoint(standby=lab.standby, point=point.id, over_tcp=True))
    (row,) = pins_of(lab)
    assert "this console" in run("pin", "list", "standby")[1]
    status, _, err = run("pin", "end", "standby", row.id)
    assert (status, "ends with that work only" in err, "--yes" in err) == (1, True, False)
    status, out, err = run("pin", "end", "standby", row.id, "--yes")
    assert (status, out, "right now (disks over NBD)" in err) == (1, "", True)
    assert pins_of(lab) == (row,)


def test_a_damaged_pin_is_ended_with_a_warning_of_what_is_not_known(
    run: Run, lab: EngineLab, point: RestorePoint, pin: str
) -> None:
    (lab.directory / "standby" / "pins" / f"{pin}.pin").write_bytes(b"torn")
    assert pins_of(lab)[0].problem is PinProblem.UNREADABLE
    assert "unreadable" in run("pin", "list", "standby")[1]
    status, _, err = run("pin", "end", "standby", pin)
    assert (status, "not known which restore point" in err) == (1, True)
    status, out, _ = run("pin", "end", "standby", pin, "--yes")
    assert (status, pin in out) == (0, True)
    assert pins_of(lab) == ()
