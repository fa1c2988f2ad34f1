"""How a proof ended, before it is remembered."""

from dataclasses import dataclass

from app.domain.messages import Message
from app.domain.proofs import ProofKind, ProofOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found out."""

    kind: ProofKind
    outcome: ProofOutcome
    reason: Message
    picture: bytes | None = None
    """Of the console, a PNG file."""
