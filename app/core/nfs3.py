"""The numbers of NFS 3 (RFC 1813), MOUNT 3 (its appendix I) and PORTMAP 2 (RFC 1833), for client and server."""

from enum import IntEnum, IntFlag
from typing import Final

PORTMAP_PORT: Final = 111
NFS_PORT: Final = 2049
PORTMAP, MOUNT, NFS = 100_000, 100_005, 100_003
PORTMAP_VERSION: Final = 2
MOUNT_VERSION: Final = 3
NFS_VERSION: Final = 3
TCP_PROTOCOL: Final = 6
UDP_PROTOCOL: Final = 17
MOST_HANDLE_BYTES: Final = 64
MOST_NAME_BYTES: Final = 255
MOST_PATH_BYTES: Final = 1024
"""Of a path that is mounted (``MNTPATHLEN``)."""
VERIFIER_BYTES: Final = 8
ATTRIBUTE_BYTES: Final = 84
"""``fattr3``."""


class Status(IntEnum):
    """``nfsstat3`` and ``mountstat3``, which share their numbers."""

    OK = 0
    PERM = 1
    NOENT = 2
    IO = 5
    NXIO = 6
    ACCES = 13
    EXIST = 17
    XDEV = 18
    NOTDIR = 20
    ISDIR = 21
    INVAL = 22
    FBIG = 27
    NOSPC = 28
    ROFS = 30
    NAMETOOLONG = 63
    NOTEMPTY = 66
    STALE = 70
    BADHANDLE = 10001
    NOT_SYNC = 10002
    BAD_COOKIE = 10003
    NOTSUPP = 10004
    TOOSMALL = 10005
    SERVERFAULT = 10006
    BADTYPE = 10007
    JUKEBOX = 10008


class FileType(IntEnum):
    """``ftype3``."""

    REGULAR = 1
    DIRECTORY = 2


class NfsProcedure(IntEnum):
    """Of the program NFS, version 3 (section 3.3)."""

    NULL = 0
    GETATTR = 1
    SETATTR = 2
    LOOKUP = 3
    ACCESS = 4
    READLINK = 5
    READ = 6
    WRITE = 7
    CREATE = 8
    MKDIR = 9
    SYMLINK = 10
    MKNOD = 11
    REMOVE = 12
    RMDIR = 13
    RENAME = 14
    LINK = 15
    READDIR = 16
    READDIRPLUS = 17
    FSSTAT = 18
    FSINFO = 19
    PATHCONF = 20
    COMMIT = 21


class MountProcedure(IntEnum):
    """Of the program MOUNT, version 3 (appendix I, section 5.2)."""

    NULL = 0
    MNT = 1
    DUMP = 2
    UMNT = 3
    UMNTALL = 4
    EXPORT = 5


class PortmapProcedure(IntEnum):
    """Of the program PORTMAP, version 2 (RFC 1833, section 3.2)."""

    NULL = 0
    SET = 1
    UNSET = 2
    GETPORT = 3
    DUMP = 4
    CALLIT = 5


class Stability(IntEnum):
    """``stable_how``: what is durable when a WRITE is answered (section 3.3.7)."""

    UNSTABLE = 0
    DATA_SYNC = 1
    FILE_SYNC = 2


class CreateMode(IntEnum):
    """``createmode3`` (section 3.3.8)."""

    UNCHECKED = 0
    GUARDED = 1
    EXCLUSIVE = 2


class TimeChoice(IntEnum):
    """``time_how``: where a time that is set comes from (section 2.6)."""

    KEEP = 0
    SERVER = 1
    CLIENT = 2


class Access(IntFlag):
    """Section 3.3.4."""

    READ = 0x01
    LOOKUP = 0x02
    MODIFY = 0x04
    EXTEND = 0x08
    DELETE = 0x10
    EXECUTE = 0x20
