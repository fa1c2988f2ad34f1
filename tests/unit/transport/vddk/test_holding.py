"""Keeping a VM on its datastore: before the snapshot, after its removal, and what a crash leaves."""

import pytest

from app.core.cancel import CancelToken
from app.domain.errors import PlatformUnreachable
from app.domain.ids import VmId
from app.domain.states import TransportMode
from tests.support.fakes import RecordingTaskLog
from tests.support.vddk_lab import VddkLab, other_engine, quick_options

pytestmark = pytest.mark.outside_tools("gcc")

SAN = (TransportMode.SAN, TransportMode.NFC_SSL)


def hold(lab: VddkLab, log: RecordingTaskLog, *modes: TransportMode, vm: str = "vm-12") -> None:
    """Hold a VM for a moment."""
    transports = lab.transports(quick_options(call_s=1.0))
    with transports.holding(lab.access, VmId(vm), preferred=modes or SAN, log=log, cancel=CancelToken()):
        pass


HOLD_VM_9 = """
from app.core.cancel import CancelToken
block = lab.transports().holding(
    lab.access, VmId("vm-9"), preferred=[TransportMode.SAN], log=NullTaskLog(), cancel=CancelToken()
)
block.__enter__()
"""


def test_a_vm_is_held_and_let_go_with_the_same_identity(lab: VddkLab) -> None:
    log = RecordingTaskLog()
    hold(lab, log)
    assert [call for call in lab.calls() if "Access" in call] == [
        "PrepareForAccess moref=vm-12 Standfast",
        "EndAccess moref=vm-12 Standfast",
    ]
    assert lab.functions() == ["InitEx", "PrepareForAccess", "Exit", "InitEx", "EndAccess", "Exit"]
    assert [kind.code for kind in log.kinds()] == ["transport.vm_held", "transport.vm_let_go"]


@pytest.mark.parametrize("why", ["no library", "other modes", "a single host"])
def test_nothing_is_held_where_it_is_not_for_the_library(lab: VddkLab, why: str) -> None:
    log = RecordingTaskLog()
    if why == "no library":
        lab.chosen = ""
    lab.holds_vms = why != "a single host"
    hold(lab, log, *((TransportMode.NFC_SSL,) if why == "other modes" else SAN))
    assert lab.calls() == []
    assert log.lines == []


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (("fail", "PrepareForAccess", 1, 3014), "3014: the account has no privilege for it"),
        (("abort", "PrepareForAccess", 1), "ended its process in VixDiskLib_PrepareForAccess"),
        (("hang", "PrepareForAccess", 1), "VixDiskLib_PrepareForAccess of the library did not return"),
    ],
)
def test_a_vm_that_cannot_be_held_is_backed_up_all_the_same(
    lab: VddkLab, order: tuple[object, ...], words: str
) -> None:
    lab.order(*order)
    log = RecordingTaskLog()
    hold(lab, log)
    assert "could not be kept on its datastore" in log.text()
    assert words in log.text()
    assert lab.functions()[-2:] == ["EndAccess", "Exit"]  # it may have been held before that failed


def test_a_platform_that_cannot_be_asked_is_said(lab: VddkLab, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(vm: VmId) -> None:
        raise PlatformUnreachable(address="vc.example.com", detail="no route", port=443)

    monkeypatch.setattr(lab, "vddk_login", away)
    log = RecordingTaskLog()
    hold(lab, log)
    assert "vc.example.com cannot be reached" in log.text()
    assert lab.calls() == []


def test_what_a_crash_left_is_let_go_before_the_next_time(lab: VddkLab) -> None:
    with other_engine(lab, HOLD_VM_9):
        assert "PrepareForAccess moref=vm-9 Standfast" in lab.calls()
    log = RecordingTaskLog()
    hold(lab, log)
    calls = [call for call in lab.calls() if call.split()[0] in ("Cleanup", "PrepareForAccess", "EndAccess")]
    assert calls == [
        "PrepareForAccess moref=vm-9 Standfast",
        "Cleanup moref=vm-9",
        "EndAccess moref=vm-9 Standfast",
        "PrepareForAccess moref=vm-12 Standfast",
        "EndAccess moref=vm-12 Standfast",
    ]
    assert "had left on 1 VM; 0 remain" in log.text()
    assert (lab.data / "held.json").read_text() == "[]"


def test_what_this_program_holds_is_not_taken_for_a_crash(lab: VddkLab) -> None:
    log = RecordingTaskLog()
    transports = lab.transports()
    with transports.holding(lab.access, VmId("vm-9"), preferred=SAN, log=log, cancel=CancelToken()):
        hold(lab, log)
        assert "EndAccess moref=vm-9 Standfast" not in lab.calls()
    assert lab.calls()[-2:] == ["EndAccess moref=vm-9 Standfast", "Exit"]
    assert "Cleanup" not in lab.functions()


def test_a_vm_that_was_not_let_go_is_tried_again_the_next_time(lab: VddkLab) -> None:
    lab.order("fail", "EndAccess", 1, 14011, "once")
    log = RecordingTaskLog()
    hold(lab, log)
    assert "could not be switched on again" in log.text()
    hold(lab, RecordingTaskLog(), vm="vm-13")
    assert [call for call in lab.calls() if call.startswith("EndAccess moref=vm-12")] == [
        "EndAccess moref=vm-12 Standfast"
    ] * 2
    assert (lab.data / "held.json").read_text() == "[]"
