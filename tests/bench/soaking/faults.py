"""What goes wrong in the soak, one seeded fault before a run."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.domain.extents import Extent
from app.simulator.server import VSphereSimulator

MIB = 1024 * 1024


@dataclass(frozen=True)
class Fault:
    """A fault: its name, how it begins, how it ends after the run, and whether the engine is killed in the run."""

    name: str
    begin: Callable[[], None]
    end: Callable[[], None]
    kills: bool = False


def _nothing() -> None:
    return None


class Mischief:
    """Chooses faults. Thread: one."""

    def __init__(
        self, simulator: VSphereSimulator, standby: Path, vms: Sequence[str], chance: random.Random
    ) -> None:
        self._simulator = simulator
        self._standby = standby
        self._vms = vms
        self._chance = chance

    def choose(self, *, may_kill: bool) -> Fault:
        """Return a fault, or for about half of the runs none."""
        faults = self._simulator.faults
        vm = self._chance.choice(self._vms)
        after_bytes = self._chance.randrange(64 * 1024, 4 * MIB)
        choices = [
            Fault("lost network (NFC)", lambda: faults.drop_nfc(after_bytes=after_bytes), faults.clear),
            Fault("sessions expired", faults.expire_sessions, faults.clear),
            Fault("quiescing failed", lambda: faults.fail_quiesce(vm, times=10), faults.clear),
            Fault("CBT lied", lambda: faults.lie_in_cbt(vm, 2000, Extent(0, 64 * MIB)), faults.clear),
            Fault("consolidation refused", lambda: faults.refuse_consolidation(vm, times=1), faults.clear),
            Fault("CBT query failed", lambda: faults.fail_call("QueryChangedDiskAreas", times=3), faults.clear),
            Fault("standby gone", self._take_standby, self._bring_standby),
            Fault("standby full", self._fill_standby, self._empty_standby),
        ]
        if may_kill:
            choices.append(Fault("engine killed", _nothing, _nothing, kills=True))
        if self._chance.random() < 0.5:
            return Fault("none", _nothing, _nothing)
        return self._chance.choice(choices)

    @property
    def _hidden(self) -> Path:
        return self._standby.with_name("standby-away")

    @property
    def _ballast(self) -> Path:
        return self._standby.parent / "ballast"

    def _take_standby(self) -> None:
        self._standby.rename(self._hidden)

    def _bring_standby(self) -> None:
        self._hidden.rename(self._standby)

    def _fill_standby(self) -> None:
        with self._ballast.open("wb") as file:
            try:
                while True:
                    file.write(b"\xa5" * MIB)
            except OSError:
                pass

    def _empty_standby(self) -> None:
        self._ballast.unlink()
