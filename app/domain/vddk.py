"""VMware's library for disks (VDDK), which the operator may give to this program: values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VddkLibrary:
    """A library that was examined and can be used."""

    folder: str
    """The folder that the operator named."""
    file: str
    """The file of the library below it."""
    version: str
    """As its name says, such as ``8.0.2``."""
    architecture: str
    """Of its machine code, such as ``x86-64``."""
    lists_allocated: bool
    """Whether it can say which blocks of a disk hold data (since 6.7)."""
