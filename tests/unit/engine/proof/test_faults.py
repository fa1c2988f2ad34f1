"""Whatever fails of a proof, nothing is left of it, and nothing is said of the point."""

from collections.abc import Callable
from typing import Any

import pytest

from app.catalog.instant import InstantStore
from app.catalog.proofs import ProofStore
from app.contract.tasks import RetryTask
from app.domain.errors import PlatformUnreachable
from app.domain.states import TaskState
from app.engine.instant.errors import KeyNotGiven
from app.nfs.service import NfsService
from app.nfs.service.exports import ExportFolder
from app.repository.pins import Pins
from app.vsphere.hypervisor import VSphereHypervisor
from tests.support.proof_lab import ProofLab

STEPS: tuple[tuple[type[Any], str], ...] = (
    (InstantStore, "add"),
    (InstantStore, "put"),
    (Pins, "take"),
    (ExportFolder, "put"),
    (NfsService, "look"),
    (VSphereHypervisor, "saved_hardware"),
    (VSphereHypervisor, "mount_nfs"),
    (VSphereHypervisor, "create_vm"),
    (VSphereHypervisor, "power_on"),
    (VSphereHypervisor, "guest_signs"),
    (ProofStore, "put"),
)
ENDS: tuple[tuple[type[Any], str], ...] = (
    (VSphereHypervisor, "power_off"),
    (VSphereHypervisor, "unregister_vm"),
    (VSphereHypervisor, "unmount_nfs"),
    (ExportFolder, "remove"),
    (Pins, "end"),
)
pytestmark = pytest.mark.allows_log("is looked for later", "is tried again")


def failing_once(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that fails at its first call, for a reason that does not pass on its own."""
    calls: list[int] = []

    def call(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise KeyNotGiven(vm="web")
        return method(*arguments, **named)

    return call


def break_once(monkeypatch: pytest.MonkeyPatch, kind: type[Any], name: str) -> None:
    monkeypatch.setattr(kind, name, failing_once(getattr(kind, name)))


@pytest.mark.parametrize(("kind", "name"), STEPS, ids=lambda value: getattr(value, "__name__", value))
def test_a_step_that_fails_leaves_nothing_and_the_proof_can_be_repeated(
    with_tools: ProofLab, monkeypatch: pytest.MonkeyPatch, kind: type[Any], name: str
) -> None:
    lab = with_tools
    point = lab.backup()
    break_once(monkeypatch, kind, name)
    report = lab.finished(lab.begin(point))
    assert report.task.state is TaskState.FAILED
    assert lab.proof(point) is None
    lab.check_nothing_left()
    lab.completed(lab.engine.execute(RetryTask(task=report.task.id)))
    assert lab.reason(point) == "proof.tools_run"
    lab.check_nothing_left()


@pytest.mark.parametrize(("kind", "name"), ENDS, ids=lambda value: getattr(value, "__name__", value))
def test_what_could_not_be_taken_away_is_taken_away_later(
    with_tools: ProofLab, monkeypatch: pytest.MonkeyPatch, kind: type[Any], name: str
) -> None:
    lab = with_tools
    point = lab.backup()
    break_once(monkeypatch, kind, name)
    report = lab.completed(lab.begin(point))
    assert "proof.left" in lab.codes(report)
    assert lab.reason(point) == "proof.tools_run"
    assert lab.rows() == (), "no list shows what is left of a proof"
    lab.leave()
    lab.open()
    assert lab.engine.wait_until_idle(60)
    lab.check_nothing_left()


def test_a_platform_that_is_away_for_a_moment_while_the_guest_boots_is_waited_for(
    with_tools: ProofLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = with_tools
    point = lab.backup()
    signs, calls = VSphereHypervisor.guest_signs, []

    def call(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) < 3:
            raise PlatformUnreachable(address="vc", port=443, detail="away")
        return signs(*arguments)

    monkeypatch.setattr(VSphereHypervisor, "guest_signs", call)
    lab.completed(lab.begin(point))
    assert lab.reason(point) == "proof.tools_run"
    lab.check_nothing_left()
