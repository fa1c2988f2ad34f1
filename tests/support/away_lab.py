"""A VM that runs from its restore point while its guest writes, on a standby that a test takes away."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import psutil

from app.contract.instant import FinishInstantRecovery, InstantRow, StopInstantRecovery
from app.contract.log import ReadLog
from app.contract.overview import ReadOverview
from app.domain.concerns import ConcernKind
from app.domain.ids import TaskId
from app.domain.instant import FinishWay, InstantState
from app.domain.messages import LogLevel
from tests.support.engine_lab import QUICK
from tests.support.instant_lab import MIB, InstantLab
from tests.support.waiting import wait_until
from tests.support.writing_guest import WritingGuest

ROOT = Path(__file__).parents[2]
NAME = "web-now"
MOST_MORE_BYTES = 128 << 20
"""So much more memory the serving process may take while its standby is away: buffers and threads that wait."""


@dataclass
class AwayLab:
    """An installation with one running recovery.

    Attributes:
        lab: the installation.
        guest: writes and reads all the time.
    """

    lab: InstantLab
    guest: WritingGuest

    # --- looking -------------------------------------------------------------------------------------------------

    @property
    def row(self) -> InstantRow:
        """The recovery as it is listed."""
        (row,) = self.lab.rows()
        return row

    @property
    def code(self) -> str:
        """The code of what is wrong, empty where nothing is."""
        error = self.row.error
        return "" if error is None else error.code

    def wait_for_trouble(self, *codes: str) -> InstantRow:
        """Wait until the list says what is wrong, and the overview has its concern."""
        wait_until(lambda: self.code in codes, deadline_s=60, what=f"{codes}")
        wait_until(lambda: self.concerns() == 1, deadline_s=30, what="the concern")
        row = self.row
        assert row.state is InstantState.UNKNOWN
        assert row.error is not None
        assert row.error.hint_template, "an operator wants to know what to do"
        return row

    def wait_until_well(self) -> None:
        """Wait until the recovery runs by itself, its guest goes on and the concern has ended."""
        try:
            wait_until(lambda: self.row.state is InstantState.RUNNING, deadline_s=60)
        except AssertionError:
            raise AssertionError(f"the recovery does not run again: {self.row.error}") from None
        assert self.row.error is None
        self.guest.wait_for_writes()
        wait_until(lambda: self.concerns() == 0, deadline_s=30, what="the end of the concern")

    def concerns(self) -> int:
        """Return how many VMs the overview is concerned about."""
        found = self.lab.engine.ask(ReadOverview()).concerns()
        return sum(one.count for one in found if one.kind is ConcernKind.TROUBLED)

    def said(self) -> list[str]:
        """Return what the operator's log says of the standby under the VM, oldest first."""
        rows = self.lab.engine.ask(ReadLog()).rows
        return [row.line.code for row in reversed(rows) if row.action == "instant.watch"]

    def errors(self) -> list[str]:
        """Return the codes of errors in the operator's log that no task wrote."""
        rows = self.lab.engine.ask(ReadLog()).rows
        return [row.line.code for row in rows if row.task is None and row.line.level is LogLevel.ERROR]

    @property
    def process(self) -> psutil.Process:
        """The serving process."""
        answer = wait_until(self.lab.service.status, deadline_s=60, what="the serving process")
        assert answer is not None
        return psutil.Process(answer.pid)

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Make sure that the serving process of the end has not grown without bound."""
        before = self.process.memory_info().rss
        yield
        assert self.process.memory_info().rss - before < MOST_MORE_BYTES

    # --- doing ---------------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """Kill the serving process with SIGKILL."""
        process = self.process
        os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, what="its end")

    def kill_engine(self) -> None:
        """Let another engine take the place of this one, which is killed with SIGKILL; start it again."""
        lab, request = self.lab, StopInstantRecovery(recovery=self.row.id)
        lab.leave()
        (lab.directory / "ports.json").write_bytes(msgspec.json.encode(lab.ports))
        command = [
            "-m",
            "tests.support.instant_process",
            str(lab.directory),
            "0",
            msgspec.json.encode(request).decode(),
        ]
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            input=msgspec.json.encode(lab.secrets.values),
            capture_output=True,
            timeout=120,
            check=False,
        )
        lab.open()
        assert done.returncode == -signal.SIGKILL, done.stderr

    def finish(self, way: FinishWay) -> TaskId:
        """Have the VM moved to a datastore of its platform."""
        return self.lab.engine.execute(FinishInstantRecovery(recovery=self.row.id, way=way, datastore="ds1"))

    def check_whole(self, way: FinishWay) -> None:
        """Stop the guest, compare its disk with what it was told, move the VM and compare again."""
        lab, guest = self.lab, self.guest
        guest.stop()
        assert guest.failures == []
        assert lab.content(NAME) == guest.expected
        lab.completed(self.finish(way))
        assert lab.rows() == ()
        assert set(lab.machine(NAME).datastore_names) == {"ds1"}
        assert lab.content(NAME) == guest.expected


@contextmanager
def away_lab(directory: Path, *, disk_bytes: int = 8 * MIB, block_bytes: int = 4096) -> Iterator[AwayLab]:
    """Run a VM from a point whose standby is the folder ``standby``, and end everything afterwards."""
    lab = InstantLab.make(directory, disk_bytes=disk_bytes)
    lab.settings = replace(QUICK, tick_s=0.5)
    with lab.simulator, lab:
        lab.write("web", MIB, os.urandom(4 * MIB))
        lab.started(lab.backup())
        leaf = lab.machine(NAME).trees[2000].leaf
        assert leaf is not None
        with WritingGuest(leaf, block_bytes=block_bytes) as guest:
            guest.wait_for_writes()
            yield AwayLab(lab, guest)


def digest_of(folder: Path) -> str:
    """Return a digest of the names and contents of all files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(str(path.relative_to(folder)).encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()
