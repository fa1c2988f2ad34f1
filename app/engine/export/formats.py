"""How the formats of disk images are written."""

from dataclasses import dataclass

from app.domain.images import ImageFormat


@dataclass(frozen=True, slots=True)
class Format:
    """How ``qemu-img`` writes a format."""

    suffix: str
    driver: str
    options: str = ""


_DETAILS = {
    ImageFormat.RAW: Format("raw", "raw"),
    ImageFormat.VMDK_SPARSE: Format("vmdk", "vmdk", "subformat=monolithicSparse"),
    ImageFormat.VMDK_STREAM: Format("vmdk", "vmdk", "subformat=streamOptimized"),
    ImageFormat.QCOW2: Format("qcow2", "qcow2", "compression_type=zstd"),
    ImageFormat.VHDX: Format("vhdx", "vhdx"),
}


def format_of(image: ImageFormat) -> Format:
    """Return how a format is written."""
    return _DETAILS[image]
