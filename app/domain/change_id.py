"""VMware's change id: the name of a moment in a disk's changed block tracking (CBT)."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class ChangeId:
    """A change id ``<generation>/<sequence>``.

    The generation (a UUID) changes when CBT is reset: ids of two generations cannot be compared. Source:
    protocols page *vSphere facts*, section "Changed block tracking".
    """

    generation: str
    sequence: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``52 de c0 …/17``.

        Raises:
            ValueError: the text is not of that form.
        """
        generation, slash, sequence = text.rpartition("/")
        if not slash or not generation or not sequence.isdecimal():
            raise ValueError(f"not a change id: {text!r}")
        return cls(generation, int(sequence))

    def __str__(self) -> str:
        return f"{self.generation}/{self.sequence}"

    def comparable_with(self, other: "ChangeId") -> bool:
        """Return whether both ids belong to the same tracking generation."""
        return self.generation == other.generation
