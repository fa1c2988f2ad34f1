"""debugctl and instant recoveries: what is asked of the engine, what is shown, and what is not done by mistake."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.cli.demo.stage import folders_in
from app.contract.base import Command
from app.contract.instant import (
    FinishInstantRecovery,
    InstantMember,
    KeepInstantRecovery,
    ListInstantRecoveries,
    ListServingAddresses,
    ResumeInstantRecovery,
    StartInstantRecovery,
    StopInstantRecovery,
)
from app.contract.points import ListPoints
from app.contract.tasks import TaskDetails, TaskReport
from app.domain.errors import PlatformUnreachable
from app.domain.ids import TaskId
from app.domain.instant import FinishWay, InstantState
from app.domain.states import TaskKind, TaskState
from app.domain.vms import VmPlacement
from app.engine.door.server import DoorServer
from tests.gui.restore.instant.recoveries import recovery, script_recoveries
from tests.gui.restore.points import RULE, point
from tests.gui.tasks.rows import PLATFORM, STANDBY
from tests.support.scripted_door import ScriptedDoor
from tests.unit.cli.test_ctl import Ctl, task

RUNNING, STOPPED = recovery("web-01"), recovery("files-01", InstantState.STOPPED)
KEY = "task-1234"


@pytest.fixture
def ctl(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Ctl]:
    engine, folders = ScriptedDoor(), folders_in(tmp_path)
    folders.create()
    script_recoveries(engine, RUNNING, STOPPED, recovery("test-01", InstantState.UNKNOWN))
    engine.answer(StartInstantRecovery, (TaskId(KEY),))
    for command in (StopInstantRecovery, ResumeInstantRecovery, FinishInstantRecovery, KeepInstantRecovery):
        engine.answer(command, TaskId(KEY))
    ended = task(KEY, TaskState.COMPLETED, kind=TaskKind.INSTANT_START)
    engine.answer(TaskDetails, TaskReport(task=ended, log=()))
    with DoorServer.open(engine, folders.data):
        yield Ctl(engine, folders, capsys)


def sent(ctl: Ctl) -> Command[object]:
    (command,) = ctl.engine.executed
    return command


def member(vm: str, number: int = 0, **placement: object) -> InstantMember:
    facts = {"name": f"{vm}-instant", **placement}
    return InstantMember(
        standby=STANDBY.id,
        target_path="prod",
        point=point(vm, number).point.id,
        placement=VmPlacement(**facts),  # type: ignore[arg-type]
    )


# --- starting --------------------------------------------------------------------------------------------------


def test_a_point_runs_where_it_came_from_at_the_preferred_address(ctl: Ctl) -> None:
    status, out, err = ctl("instant", "start", point("web-01").point.id)
    assert (status, err) == (0, "")
    assert out.split() == ["task-123", "web-01", "completed"]
    assert sent(ctl) == StartInstantRecovery(
        platform=PLATFORM.id, members=(member("web-01"),), address="10.0.0.5", rule=None
    )


def test_several_points_start_in_their_order_with_all_that_is_chosen(ctl: Ctl) -> None:
    first, second = point("db-01", 1).point.id, point("web-01", 2).point.id
    words = ("--platform", "vc-1", "--rule", "Production", "--standby", "nas", "--name", "a", "--name", "b")
    where = ("--datacenter", "Shanghai", "--host", "esx01.lab", "--folder", "/Production/Web", "--off")
    nets = ("--network", "VM Network=Branch", "--network", "Storage=Lab", "--address", "192.168.7.5")
    status, out, _ = ctl("instant", "start", first, second, *words, *where, *nets, "--no-wait")
    assert (status, out.split()) == (0, ["task-123", "queued"])
    chosen = {
        "datacenter": "Shanghai",
        "host": "esx01.lab",
        "folder": ("Production", "Web"),
        "networks": (("VM Network", "Branch"), ("Storage", "Lab")),
    }
    members = (member("db-01", 1, name="a", **chosen), member("web-01", 2, name="b", **chosen))
    assert sent(ctl) == StartInstantRecovery(
        platform=PLATFORM.id,
        members=tuple(replace(found, power_on=False) for found in members),
        address="192.168.7.5",
        rule=RULE.id,
    )


def test_a_vm_can_be_connected_to_nothing_at_the_top_of_its_datacenter(ctl: Ctl) -> None:
    assert ctl("instant", "start", point("web-01").point.id, "--isolated", "--folder", "/")[0] == 0
    command = sent(ctl)
    assert isinstance(command, StartInstantRecovery)
    assert command.members == (member("web-01", is_isolated=True, folder=()),)


def test_names_have_to_fit_the_points(ctl: Ctl) -> None:
    ids = [point("web-01", number).point.id for number in (0, 1)]
    status, _, err = ctl("instant", "start", *ids, "--name", "only-one")
    assert (status, "2 restore points and 1 names" in err) == (1, True)
    assert ctl.engine.executed == []


def test_a_point_of_an_unknown_platform_asks_for_one(ctl: Ctl) -> None:
    ctl.engine.answer(ListPoints, (replace(point("web-01"), platform=None),))
    status, _, err = ctl("instant", "start", point("web-01").point.id)
    assert (status, "--platform" in err) == (1, True)


@pytest.mark.parametrize("words", [("--network", "alone"), ("--network", "=b"), ("--datastore", "ds1")])
def test_wrong_words_are_no_start(ctl: Ctl, words: tuple[str, str]) -> None:
    assert ctl("instant", "start", point("web-01").point.id, *words)[0] == 2
    assert ctl.engine.executed == []


def test_a_start_that_fails_is_the_exit_status(ctl: Ctl) -> None:
    failed = task(KEY, TaskState.FAILED, kind=TaskKind.INSTANT_START)
    ctl.engine.answer(TaskDetails, TaskReport(task=failed, log=()))
    assert ctl("instant", "start", point("web-01").point.id)[0] == 1


# --- looking ---------------------------------------------------------------------------------------------------


def test_the_list_tells_state_and_figures(ctl: Ctl) -> None:
    status, out, _ = ctl("instant", "list")
    _, _, first, *_ = out.splitlines()
    for text in ("web-01-instant", "running", "vc-1", "esx01.lab", "960", "36.2 MB", "2.41 GB", "41.0"):
        assert text in first
    assert status == 0


def test_one_is_shown_with_its_error_and_what_can_be_done(ctl: Ctl) -> None:
    status, out, _ = ctl("instant", "show", "test-01-instant")
    assert status == 0
    for text in ("cannot be reached", "Check the network.", "Can be done:", "stop", "10.0.0.5"):
        assert text in out
    assert "820 IOPS, 31.0 MB/s" in ctl("instant", "show", "web-01-instant")[1]
    status, _, err = ctl("instant", "show", "nobody")
    assert (status, "no instant recovery named nobody" in err) == (1, True)


def test_json_is_for_programs(ctl: Ctl) -> None:
    rows = json.loads(ctl("instant", "list", "--json")[1])
    assert [row["state"] for row in rows] == ["running", "stopped", "unknown"]
    assert json.loads(ctl("--json", "instant", "show", "web-01-instant")[1]) == rows[0]
    assert json.loads(ctl("instant", "addresses", "vc-1", "--json")[1])[0]["is_preferred"] is True
    assert json.loads(ctl("instant", "keep", "files-01-instant", "--no-wait", "--json")[1]) == [KEY]


def test_addresses_are_listed_with_the_preferred_one(ctl: Ctl) -> None:
    _, out, _ = ctl("instant", "addresses", "vc-1")
    assert out.splitlines()[2].split() == ["10.0.0.5", "eth0", "preferred"]
    assert ListServingAddresses(platform=PLATFORM.id) in ctl.engine.asked


# --- what becomes of it ----------------------------------------------------------------------------------------


def test_stopping_keeps_what_the_vm_wrote(ctl: Ctl) -> None:
    assert ctl("instant", "stop", "web-01-instant")[0] == 0
    assert sent(ctl) == StopInstantRecovery(recovery=RUNNING.id)


def test_what_the_vm_wrote_is_deleted_only_with_yes(ctl: Ctl) -> None:
    status, out, err = ctl("instant", "stop", "web-01-instant", "--discard")
    assert (status, out) == (1, "")
    for text in ("2.41 GB", "deleted for good", "Nothing was changed", "--yes"):
        assert text in err
    assert ctl.engine.executed == []
    assert ctl("instant", "stop", "web-01-instant", "--discard", "--yes")[0] == 0
    assert sent(ctl) == StopInstantRecovery(recovery=RUNNING.id, discard=True)


def test_a_stopped_one_is_resumed_and_kept(ctl: Ctl) -> None:
    assert ctl("instant", "resume", "files-01-instant", "--off")[0] == 0
    assert ctl("instant", "keep", STOPPED.id)[0] == 0
    assert ctl.engine.executed == [
        ResumeInstantRecovery(recovery=STOPPED.id, power_on=False),
        KeepInstantRecovery(recovery=STOPPED.id),
    ]


def test_a_vm_is_moved_live_or_cold(ctl: Ctl) -> None:
    assert ctl("instant", "finish", "web-01-instant", "ds1")[0] == 0
    cold = ("instant", "finish", "web-01-instant", "ds1", "--cold", "--disk", "2001=ds 2", "--off")
    assert ctl(*cold)[0] == 0
    assert ctl.engine.executed == [
        FinishInstantRecovery(recovery=RUNNING.id, way=FinishWay.LIVE, datastore="ds1"),
        FinishInstantRecovery(
            recovery=RUNNING.id,
            way=FinishWay.COLD,
            datastore="ds1",
            disk_datastores=((2001, "ds 2"),),
            power_on=False,
        ),
    ]
    assert ctl("instant", "finish", "web-01-instant", "ds1", "--disk", "second=ds2")[0] == 2


def test_a_refusal_is_1_with_its_remedy(ctl: Ctl) -> None:
    ctl.engine.answer(ListInstantRecoveries, PlatformUnreachable(address="vc-1", port=443, detail="timed out"))
    status, _, err = ctl("instant", "list")
    assert (status, "vc-1" in err) == (1, True)
