"""Labs whose standby machine is encrypted, and what happens to their keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.contract.standbys import (
    ListStandbyRows,
    RegisterStandby,
    StandbyRow,
)
from app.domain.ids import StandbyId
from app.domain.standbys import Standby
from app.domain.states import TaskState
from tests.support.engine_lab import EngineLab

PASSPHRASE = "otter lamp crane seventeen"
OTHER = "pear quilt marble nineteen"


@contextmanager
def encrypted_lab(directory: Path, *, hide_names: bool = False) -> Iterator[EngineLab]:
    """Open a lab whose standby machine is encrypted."""
    with EngineLab(directory) as lab:
        lab.standby = encrypted(lab, directory / "safe", hide_names=hide_names).id
        yield lab


def encrypted(lab: EngineLab, root: Path, *, hide_names: bool = False, name: str = "safe") -> Standby:
    return lab.engine.execute(
        RegisterStandby(name=name, root_path=str(root), passphrase=PASSPHRASE, hide_names=hide_names)
    )


def row_of(lab: EngineLab, standby: StandbyId) -> StandbyRow:
    return next(row for row in lab.engine.ask(ListStandbyRows()) if row.id == standby)


def look_again(lab: EngineLab) -> None:
    lab.engine.services.watch.refresh(again=True, wait_s=10)


def forget_keys(lab: EngineLab) -> None:
    """Do what a reinstalled system does to its keyring."""
    for name in [name for name in lab.secrets.values if not name.startswith("platform/")]:
        lab.secrets.delete(name)
    look_again(lab)


def everything_at(root: Path) -> bytes:
    """All names and all bytes below a directory."""
    names = "\n".join(str(path.relative_to(root)) for path in root.rglob("*")).encode()
    return names + b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())


def backup_error(lab: EngineLab) -> str:
    """Back a VM up, which must fail, and return the code of the error."""
    report = lab.finished(lab.start_backup(lab.host.add_vm("other", [1024 * 1024])))
    assert report.task.state is TaskState.FAILED
    assert report.task.error is not None
    return report.task.error.code
