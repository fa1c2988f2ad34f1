"""Where the platform cannot start a VM, its file systems are read."""

from pathlib import Path

import msgspec
import pytest

from app.domain.errors import LicenseRefused
from app.domain.proofs import ProofKind, ProofOutcome
from app.domain.states import TaskState
from app.engine.instant.errors import InstantUnsupported
from app.engine.proof.errors import ConsoleNotShown
from app.repository.errors import DataDamaged
from app.vsphere.errors import OperationUnsupported
from app.vsphere.words import Operation
from tests.support.guest_images import made
from tests.support.proof_lab import ProofLab

pytestmark = pytest.mark.outside_tools("mke2fs")


def ext4(folder: Path) -> bytes:
    return made(folder, 8, "mke2fs", "-q", "-t", "ext4")


@pytest.fixture
def no_mounts(lab: ProofLab) -> ProofLab:
    lab.simulator.world.nas.most_volumes = 0
    return lab


def test_file_systems_that_are_in_order_prove_a_point_that_no_host_mounts(
    no_mounts: ProofLab, tmp_path: Path
) -> None:
    lab = no_mounts
    lab.write("web", 0, ext4(tmp_path))
    point = lab.backup()
    report = lab.completed(lab.begin(point))
    proof = lab.proof(point)
    assert proof is not None
    assert (proof.kind, proof.outcome, proof.has_picture) == (ProofKind.STRUCTURE, ProofOutcome.PROVEN, False)
    assert "ext4" in str(proof.reason)
    assert {"proof.not_started", "proof.disk_read"} <= set(lab.codes(report))
    lab.check_nothing_left()


def test_a_damaged_file_system_is_not_proven(no_mounts: ProofLab, tmp_path: Path) -> None:
    lab, content = no_mounts, bytearray(ext4(tmp_path))
    content[1024 + 4 : 1024 + 8] = b"\xff" * 4
    lab.write("web", 0, bytes(content))
    point = lab.backup()
    assert lab.finished(lab.begin(point)).task.state is TaskState.FAILED
    assert lab.reason(point) == "proof.structure_broken"
    proof = lab.proof(point)
    assert proof is not None
    assert "the superblock of ext4 at byte 0 cannot be right" in str(proof.reason)


def test_disks_without_a_file_system_prove_nothing(no_mounts: ProofLab) -> None:
    point = no_mounts.backup()
    assert no_mounts.finished(no_mounts.begin(point)).task.state is TaskState.FAILED
    assert no_mounts.reason(point) == "proof.nothing_found"


def test_data_that_cannot_be_read_back_is_not_proven(
    no_mounts: ProofLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = no_mounts
    lab.write("web", 0, ext4(tmp_path))
    point = lab.backup()

    def damaged(*_: object) -> None:
        raise DataDamaged(what="Hard disk 1", detail="gone")

    monkeypatch.setattr("app.engine.proof.structure.check_disks", damaged)
    assert lab.finished(lab.begin(point)).task.state is TaskState.FAILED
    assert lab.reason(point) == "proof.structure_broken"


REFUSALS = {
    "the kind of platform": ("runs_from_nfs", InstantUnsupported(platform="KVM")),
    "its consoles": ("_shows_guests", ConsoleNotShown(platform="KVM")),
    "its licence": ("InstantStartRun", LicenseRefused(address="esx", operation=Operation.CREATE_VM)),
    "its version": (
        "InstantStartRun",
        OperationUnsupported(address="esx", operation=Operation.CREATE_VM, detail="too old"),
    ),
}


@pytest.mark.parametrize("lacking", REFUSALS)
def test_a_platform_that_lacks_what_a_start_needs_gets_the_second_best(
    lab: ProofLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    lab.write("web", 0, ext4(tmp_path))
    point = lab.backup()
    name, refusal = REFUSALS[lacking]

    def refuse(*_: object) -> None:
        raise refusal

    monkeypatch.setattr(f"app.engine.proof.booting.{name}", refuse)
    lab.completed(lab.begin(point))
    proof = lab.proof(point)
    assert proof is not None
    assert (proof.kind, proof.outcome) == (ProofKind.STRUCTURE, ProofOutcome.PROVEN)
    lab.check_nothing_left()


def test_a_platform_that_is_not_registered_gets_the_second_best(lab: ProofLab, tmp_path: Path) -> None:
    lab.write("web", 0, ext4(tmp_path))
    point = lab.backup()
    spec = lab.spec(point)
    lab.completed(lab.submit(msgspec.structs.replace(spec, platform=None)))
    proof = lab.proof(point)
    assert proof is not None
    assert proof.kind is ProofKind.STRUCTURE
