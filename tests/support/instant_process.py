"""An engine in a process of its own that kills itself at a step of an instant recovery.

Usage: ``python -m tests.support.instant_process FOLDER STEP REQUEST`` with the secrets as JSON on standard input.
Steps are counted over everything that changes something outside: the catalog, what is served, the platform. The
process ends by SIGKILL before the step of that number is done, or by itself with the state of the last task.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec

from app.catalog.instant import InstantStore
from app.catalog.journals import RestoreJournalStore
from app.contract.base import Command
from app.contract.instant import (
    FinishInstantRecovery,
    KeepInstantRecovery,
    ResumeInstantRecovery,
    StartInstantRecovery,
    StopInstantRecovery,
)
from app.contract.proofs import StartProof
from app.nfs.service import NfsService
from app.nfs.service.exports import ExportFolder
from app.repository.pins import Pins
from app.repository.recoveries import RecoveryFolders
from app.vsphere.hypervisor import VSphereHypervisor
from tests.support.engine_lab import MemorySecrets
from tests.support.instant_lab import InstantLab

Request = (
    StartInstantRecovery
    | StopInstantRecovery
    | ResumeInstantRecovery
    | FinishInstantRecovery
    | KeepInstantRecovery
    | StartProof
)
STEPS: tuple[tuple[type[Any], tuple[str, ...]], ...] = (
    (InstantStore, ("add", "put", "remove")),
    (RestoreJournalStore, ("note", "closed")),
    (ExportFolder, ("put", "remove")),
    (NfsService, ("look", "stop")),
    (Pins, ("take", "end")),
    (RecoveryFolders, ("remove",)),
    (
        VSphereHypervisor,
        (
            *("mount_nfs", "unmount_nfs", "create_vm", "register_vm", "unregister_vm", "power_on", "power_off"),
            *("start_moved", "move_storage", "rename_vm", "give_identity"),
        ),
    ),
)


class Countdown:
    """Kills this process when its step comes."""

    def __init__(self, step: int) -> None:
        self._left = step

    def counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method that counts as a step."""

        def call(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return method(*arguments, **named)

        return call


def main(folder: Path, step: int, request: Request, secrets: dict[str, str]) -> None:
    """Start an engine, send it the request, and print how its task ended unless it was killed before."""
    countdown = Countdown(step)
    ports = msgspec.json.decode((folder / "ports.json").read_bytes(), type=tuple[int, int])
    lab = InstantLab(folder, None, ports, MemorySecrets(secrets))
    lab.open()
    patches = [
        mock.patch.object(kind, name, countdown.counted(getattr(kind, name)))
        for kind, names in STEPS
        for name in names
    ]
    for patch in patches:
        patch.start()
    command: Command[Any] = request
    task = lab.engine.execute(command)
    report = lab.finished(task[0] if isinstance(task, tuple) else task)
    print(report.task.state.value, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        int(sys.argv[2]),
        msgspec.json.decode(sys.argv[3], type=Request),
        msgspec.json.decode(sys.stdin.read(), type=dict[str, str]),
    )
