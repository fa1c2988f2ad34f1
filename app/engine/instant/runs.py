"""Which class runs which task of an instant recovery."""

from app.engine.instant.ending import InstantStopRun
from app.engine.instant.finish import InstantFinishRun
from app.engine.instant.keep import InstantKeepRun
from app.engine.instant.services import InstantServices
from app.engine.instant.start import InstantStartRun
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import InstantFinishSpec, InstantSpec, InstantStartSpec, InstantStopSpec


class InstantRuns:
    """Runs the tasks of instant recoveries. Thread: any."""

    def __init__(self, services: InstantServices) -> None:
        self._services = services

    def run(self, task: RunningTask, spec: InstantSpec) -> None:
        """Do what a task has to do.

        Raises:
            OperationalError: it failed.
            TaskCancelled: the operator stopped it.
        """
        if isinstance(spec, InstantStartSpec):
            InstantStartRun(self._services, task, spec).run()
        elif isinstance(spec, InstantStopSpec):
            InstantStopRun(self._services, task, spec).run()
        elif isinstance(spec, InstantFinishSpec):
            InstantFinishRun(self._services, task, spec).run()
        else:
            InstantKeepRun(self._services, task, spec).run()
