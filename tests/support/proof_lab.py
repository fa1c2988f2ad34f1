"""An instant lab that proves restore points."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Self
from unittest import mock

from app.contract.proofs import StartProof
from app.contract.tasks import TaskReport
from app.domain.ids import RuleId, TaskId
from app.domain.proofs import RestoreProof
from app.domain.restore_point import RestorePoint
from app.engine.proof.screen import FIRMWARE_LOOKS
from app.engine.tasks.spec import ProofSpec
from app.simulator.vm import screenshot
from app.simulator.vm.virtual_machine import VirtualMachine
from tests.support.engine_lab import QUICK
from tests.support.instant_lab import InstantLab
from tests.support.waiting import wait_until

LOOK_S = 0.15
BOOT_S = 0.4


class ProofLab(InstantLab):
    """A lab whose proofs look often.

    Guests with tools boot after a moment; the others when :meth:`boot` says so.

    Attributes:
        pictures: how many pictures of consoles were taken.
    """

    pictures = 0

    @classmethod
    def make(cls, directory: Path, *, disks: int = 1, **fields: Any) -> Self:
        """Make a lab; ``foreign_guests_have_tools`` says whether guests are proven by their tools."""
        has_tools = fields.setdefault("foreign_guests_have_tools", False)
        fields.setdefault("boot_s", BOOT_S if has_tools else 3600.0)
        made = super().make(directory, disks=disks, **fields)
        made.settings = replace(QUICK, proof_look_s=LOOK_S)
        return made

    def open(self) -> None:
        """Start an engine, and count pictures."""
        super().open()
        draw = screenshot.png

        def counted(rows: list[bytes]) -> bytes:
            self.pictures += 1
            return draw(rows)

        self._counting = mock.patch.object(screenshot, "png", counted)
        self._counting.start()

    def leave(self) -> None:
        """End the engine."""
        self._counting.stop()
        super().leave()

    def boot(self, machine: VirtualMachine) -> None:
        """Let a guest come up, once its firmware was seen."""
        wait_until(lambda: self.pictures >= FIRMWARE_LOOKS, what="looks at the firmware")
        machine.finish_boot(machine.boot_time)

    def begin(self, point: RestorePoint, **fields: Any) -> TaskId:
        """Queue a proof as an operator does."""
        fields.setdefault("address", "127.0.0.1")
        return self.engine.execute(StartProof(standby=self.standby, point=point.id, **fields))

    def spec(
        self,
        point: RestorePoint,
        *,
        limit_s: float = 30.0,
        cpus: int = 2,
        memory_mib: int = 4096,
        rule: RuleId | None = None,
    ) -> ProofSpec:
        """Return what a proof has to do, with a limit of seconds."""
        return ProofSpec(
            standby=self.standby,
            point=point.id,
            platform=self.platform,
            address="127.0.0.1",
            limit_s=limit_s,
            cpus=cpus,
            memory_mib=memory_mib,
            rule=rule,
        )

    def submit(self, spec: ProofSpec) -> TaskId:
        """Queue a proof."""
        return self.engine.manager.submit(self.engine.factory.task(spec))

    def started_vm(self) -> VirtualMachine:
        """Wait until the VM of a proof was powered on, and return it."""
        wait_until(
            lambda: any(vm.power_state == "poweredOn" for vm in self._of_proofs()), what="the VM of a proof"
        )
        return self._of_proofs()[0]

    def _of_proofs(self) -> list[VirtualMachine]:
        machines: list[VirtualMachine] = list(self.simulator.world.inventory.vms.values())
        return [machine for machine in machines if "-proof-" in machine.name]

    def proof(self, point: RestorePoint) -> RestoreProof | None:
        """Return what is known of a point's proof."""
        known = self.catalog.points.get(self.standby, "", point.id)
        assert known is not None
        return known.proof

    def reason(self, point: RestorePoint) -> str:
        """Return the code of why a point counts as proven, or not."""
        proof = self.proof(point)
        assert proof is not None
        return proof.reason.kind.code

    def codes(self, report: TaskReport) -> list[str]:
        """Return the codes of a task's log lines."""
        return [line.code for line in report.log]

    def check_nothing_left(self) -> None:
        """Make sure that nothing of a proof is on the platform, at the standby, or remembered."""
        assert self.names() == {"web", "db"}
        assert not [name for name in self.datastores() if name.startswith("Standfast-")]
        assert not list((self.directory / "standby" / "recoveries").glob("*"))
        assert list(self.service.exports.ids()) == []
        assert list(self.catalog.instant.all()) == []
        with self.engine.services.repositories.lease(self.standby) as repository:
            assert repository.pins.known() == ()
