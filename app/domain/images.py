"""Formats of disk images."""

from enum import Enum


class ImageFormat(Enum):
    """Formats that a disk can be exported to."""

    RAW = "raw"
    VMDK_SPARSE = "vmdk"  # monolithicSparse, for VMware Workstation and for qemu
    VMDK_STREAM = "vmdk-stream"  # streamOptimized, for OVF
    QCOW2 = "qcow2"
    VHDX = "vhdx"
