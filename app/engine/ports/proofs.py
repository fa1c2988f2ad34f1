"""What the engine remembers of proofs of restore."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from app.domain.ids import PointId, RuleId, StandbyId, VmId
from app.domain.proofs import ProvenVm, RestoreProof


class ProofStore(Protocol):
    """Remembers proofs of restore; the newest one of a point is a part of what is known of it. Thread: any."""

    def put(
        self,
        standby: StandbyId,
        target_path: str,
        point: PointId,
        proof: RestoreProof,
        picture: bytes | None,
        member: tuple[RuleId, VmId] | None,
    ) -> None:
        """Note a proof in place of the point's last one, and for the VM in the rule that it is of, if it is."""
        ...

    def picture(self, standby: StandbyId, target_path: str, point: PointId) -> tuple[bytes, datetime] | None:
        """Return the picture of a point's newest proof and when it ended, or None."""
        ...

    def last_proven(self) -> Mapping[tuple[RuleId, VmId], ProvenVm]:
        """Return when each VM in a rule was last proven; without those that never were."""
        ...
