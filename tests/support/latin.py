"""Latin words in Chinese sentences: which ones belong there, and which are scraps of English."""

import re

FIXED = {
    *("API", "BIOS", "CBT", "CPU", "CTK", "EFI", "ESXi", "FTP", "HTTP", "HTTPS", "ID", "IOMMU", "IP", "JSON"),
    *(
        "LAN",
        "Lan",
        "Free",
        "MAC",
        "NBD",
        "NFC",
        "NFS",
        "NTP",
        "NVMe",
        "NVRAM",
        "NFS.MaxVolumes",
        "NO_PROXY",
        "OVF",
        "PATH",
        "PNG",
    ),
    *("PYTHONUTF8", "SAN", "SATA", "SCSI", "SEV", "SHA-256", "SMTP", "SOAP", "SSL", "STANDFAST_HOME", "STARTTLS"),
    *(
        "Standfast",
        "TCP",
        "TLS",
        "TMPDIR",
        "TPM",
        "UDP",
        "UEFI",
        "USB",
        "UTC",
        "UTF-8",
        "UUID",
        "UID",
        "Unix",
        "VDDK",
    ),
    *(
        "VM",
        "VMware",
        "Tools",
        "VSS",
        "Windows",
        "XML",
        "XFS",
        "ext4",
        "vApp",
        "vCLS",
        "vCenter",
        "vSAN",
        "vSphere",
    ),
    *("vVol", "vim25", "vmx", "webhook", "multi-writer", "qemu-img", "QEMU", "QCOW2", "raw", "Debian", "Linux"),
    *("HotAdd", "GNOME", "Keyring", "KWallet", "Credential", "Manager", "D-Bus", "DNS", "CSV", "Ctrl", "Shift"),
    *("bk_tsk_thd", "i2vp_transbuffer", "secret_store", "keyring", "file", "system.conf", "engine.log", "key"),
    *("value", "conf", "chmod", "go", "FILE", "uid", "fmask", "dmask", "headless", "standfast", "catalog"),
    *("restore", "new", "accept", "debugctl", "VMFS", "RDM", "NVDIMM", "Ops", "Snapshot", "https", "http"),
    *("Datastore.Browse", "VirtualMachine.Provisioning.DiskRandomAccess", "qemu-utils", "LAN-Free", "chgrp"),
    *("root", "no_root_squash"),
    *("VMkernel", "vSphereBackupNFC", "SkipZ", "zlib", "FastLZ"),
    *("Storage", "vMotion", "LUN", "iSCSI", "HOTADD", "lib64", "bin"),
    *(
        "config.vmacore.soap.maxSessionCount",
        "IDE",
        "uuid.bios",
        "dev",
        "disk",
        "by-id",
        "disk.EnableUUID",
        "TRUE",
    ),
}
"""Latin words that a Chinese operator reads as they are: names of products, protocols, settings and commands."""
UNITS = {"B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "s", "h", "min"}
_LATIN = re.compile(r"(?<![0-9A-Za-z])[A-Za-z][A-Za-z0-9_.-]*")


def scraps(text: str) -> list[str]:
    """Return the Latin words of a Chinese sentence that are no fixed term and no unit."""
    return [word for word in _LATIN.findall(text) if word.rstrip(".-") not in FIXED and word not in UNITS]
