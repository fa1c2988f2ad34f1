"""Formats that a disk can be exported to."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Format:
    """How ``qemu-img`` is told to write a format."""

    suffix: str
    driver: str
    options: str = ""


class ImageFormat(Enum):
    """Choices of the operator."""

    RAW = "raw"
    VMDK_SPARSE = "vmdk"  # monolithicSparse, for VMware Workstation and for qemu
    VMDK_STREAM = "vmdk-stream"  # streamOptimized, for OVF
    QCOW2 = "qcow2"
    VHDX = "vhdx"

    @property
    def details(self) -> Format:
        """Return how it is written."""
        return _DETAILS[self]


_DETAILS = {
    ImageFormat.RAW: Format("raw", "raw"),
    ImageFormat.VMDK_SPARSE: Format("vmdk", "vmdk", "subformat=monolithicSparse"),
    ImageFormat.VMDK_STREAM: Format("vmdk", "vmdk", "subformat=streamOptimized"),
    ImageFormat.QCOW2: Format("qcow2", "qcow2", "compression_type=zstd"),
    ImageFormat.VHDX: Format("vhdx", "vhdx"),
}
