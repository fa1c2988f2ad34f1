"""The order of the ways to a platform's disks, and a look at which of them work."""

from dataclasses import replace

from app.contract.transports import ProbedDisk, ProbeTransports, SetTransports
from app.domain.platforms import Platform
from app.domain.transports import whole_order
from app.engine.handlers import handles
from app.engine.history import messages
from app.engine.log.journal import Journal
from app.engine.platforms.errors import NothingToProbe
from app.engine.platforms.probing import ModeTrial, find_still
from app.engine.platforms.sessions import Sessions
from app.engine.ports import PlatformStore


class TransportHandlers:
    """Answers about ways to disks. Thread: any."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        platforms: PlatformStore,
        trial: ModeTrial,
        journal: Journal,
    ) -> None:
        self._sessions = sessions
        self._platforms = platforms
        self._trial = trial
        self._journal = journal

    @handles(SetTransports)
    def _set(self, command: SetTransports) -> Platform:
        known = self._sessions.platform(command.platform)
        changed = replace(known, transports=whole_order(command.transports))
        self._platforms.put(changed)
        names = ", ".join(mode.name for mode in changed.transports)
        self._journal.about(known.name, "platform.change").info(messages.TRANSPORTS_CHOSEN, modes=names)
        return changed

    @handles(ProbeTransports)
    def _probe(self, query: ProbeTransports) -> ProbedDisk:
        platform = self._sessions.platform(query.platform)
        with self._sessions.connect(query.platform) as hypervisor:
            still = find_still(hypervisor, query.vm)
            if still is None:
                raise NothingToProbe(name=platform.name)
            trial = self._trial.on(platform.id)
            modes = tuple(trial(hypervisor, still.address(), mode) for mode in platform.transports)
        return ProbedDisk(vm_name=still.vm.name, disk=still.disk.label, path=still.disk.path, modes=modes)
