"""A damaged repository heals itself: what was lost is read again from the source by the next backup."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.states import BackupKind, TaskState
from tests.support.engine_lab import EngineLab, codes_of, filled_vm, text_of
from tests.support.logguard import LogGuard


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[EngineLab]:
    with EngineLab(tmp_path) as opened:
        yield opened


def damage_a_pack(lab: EngineLab) -> None:
    """Flip a byte in the middle of the largest pack."""
    pack = max(lab.directory.rglob("*.pack"), key=lambda file: file.stat().st_size)
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 0xFF
    pack.write_bytes(content)


def test_the_next_incremental_reads_again_what_was_lost(lab: EngineLab, log_guard: LogGuard) -> None:
    log_guard.allow("damaged")
    vm = filled_vm(lab)
    first = lab.backup(vm, BackupKind.FULL)
    damage_a_pack(lab)
    found = lab.verify(first)
    assert found.task.state is TaskState.FAILED
    assert "upkeep.pack_set_aside" in codes_of(found), text_of(found)
    task = lab.start_backup(vm, BackupKind.INCREMENTAL)
    report = lab.finished(task)
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    assert "backup.lost_read_again" in codes_of(report), text_of(report)
    assert report.task.point is not None
    second = lab.point(report.task.point)
    assert second.kind is BackupKind.INCREMENTAL
    assert lab.content(second.id) == lab.host.content(vm, 2000)
    assert lab.verify(second).task.state is TaskState.COMPLETED
    assert lab.verify(first).task.state is TaskState.COMPLETED, "the older point heals with it: same chunks"
