"""The states a task goes through, noted and announced."""

from collections.abc import Callable
from dataclasses import dataclass

from app.core.context import TaskContext
from app.domain.events import TaskStateChanged
from app.domain.ids import VmId
from app.domain.progress import ProgressSample
from app.domain.states import TaskState
from app.domain.tasks import TransferTotals
from app.engine.ports import TaskStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Moves one task from state to state."""

    context: TaskContext
    vm: VmId
    store: TaskStore

    def enter(self, state: TaskState) -> None:
        """Go into a state, unless the task was asked to stop.

        Raises:
            TaskCancelled: it was.
            CatalogUnavailable: the state cannot be noted.
        """
        self.context.cancel.check()
        self.note(state)

    def note(self, state: TaskState) -> None:
        """Go into a state whether or not the task was asked to stop; the figures are written down as well."""
        self.noting(state)()

    def noting(self, state: TaskState) -> Callable[[], None]:
        """Return what goes into a state as it is now, however late it is called."""
        at, totals = self.context.clock.now(), totals_of(self.context.progress.sample())

        def note() -> None:
            self.store.set_totals(self.context.task, totals)
            self.store.enter(self.context.task, state, at)
            self.context.bus.publish(TaskStateChanged(at=at, task=self.context.task, vm=self.vm, state=state))

        return note


def totals_of(sample: ProgressSample) -> TransferTotals:
    """Turn counters into the figures that are kept."""
    return TransferTotals(
        total_bytes=sample.total_bytes,
        done_bytes=sample.done_bytes,
        read_bytes=sample.read_bytes,
        written_bytes=sample.written_bytes,
        source_busy_s=sample.source_busy_s,
        processing_busy_s=sample.processing_busy_s,
        target_busy_s=sample.target_busy_s,
    )


def sample_of(totals: TransferTotals) -> ProgressSample:
    """Turn kept figures back into counters."""
    return ProgressSample(
        total_bytes=totals.total_bytes,
        done_bytes=totals.done_bytes,
        read_bytes=totals.read_bytes,
        written_bytes=totals.written_bytes,
        source_busy_s=totals.source_busy_s,
        processing_busy_s=totals.processing_busy_s,
        target_busy_s=totals.target_busy_s,
    )
