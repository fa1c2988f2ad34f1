"""Structures, numbers and functions of VixDiskLib, as its public header has them.

Sources: protocols page *vSphere facts*, "VDDK"; the *Virtual Disk Programming Guide* 6.7 to 8.0; the structures
that nbdkit's plugin declares for it. They fit 64-bit Linux, where offsets are asserted by the tests. On Windows
``long`` has four bytes, which ctypes follows; that was never run.
"""

import ctypes
from typing import Any, Final

VixError = ctypes.c_uint64
SECTOR_BYTES: Final = 512
OPEN_READ_ONLY: Final = 4
CRED_UID: Final = 1
SPEC_VMX: Final = 0
SMALLEST_CHUNK_SECTORS: Final = 128
MOST_CHUNKS: Final = 512 * 1024
"""Bounds of one question for allocated blocks."""
CODE_MASK: Final = 0xFFFF
"""The lowest bits of an error are its code; the others say where it came from."""


class UidCredentials(ctypes.Structure):
    """An account and its password."""

    _fields_ = (("user_name", ctypes.c_char_p), ("password", ctypes.c_char_p))


class SessionCredentials(ctypes.Structure):
    """A session; never filled here, but the largest of the union."""

    _fields_ = (("cookie", ctypes.c_char_p), ("user_name", ctypes.c_char_p), ("key", ctypes.c_char_p))


class Credentials(ctypes.Union):
    """How to log in."""

    _fields_ = (("uid", UidCredentials), ("session", SessionCredentials))


class ObjectSpec(ctypes.Structure):
    """Names a disk without a VM; never filled here."""

    _fields_ = (("id", ctypes.c_char_p), ("datastore", ctypes.c_char_p), ("snapshot", ctypes.c_char_p))


class ConnectParams(ctypes.Structure):
    """``VixDiskLibConnectParams``: 128 bytes."""

    _fields_ = (
        ("vmx_spec", ctypes.c_char_p),
        ("server_name", ctypes.c_char_p),
        ("thumbprint", ctypes.c_char_p),
        ("private_use", ctypes.c_long),
        ("credentials_kind", ctypes.c_int),
        ("credentials", Credentials),
        ("port", ctypes.c_uint32),
        ("nfc_host_port", ctypes.c_uint32),
        ("reserved_text", ctypes.c_char_p),
        ("reserved_bytes", ctypes.c_char * 8),
        ("reserved_pointer", ctypes.c_void_p),
        ("spec", ObjectSpec),
        ("spec_kind", ctypes.c_int),
    )


class Geometry(ctypes.Structure):
    """Cylinders, heads and sectors; not used."""

    _fields_ = (("cylinders", ctypes.c_uint32), ("heads", ctypes.c_uint32), ("sectors", ctypes.c_uint32))


class DiskInfo(ctypes.Structure):
    """``VixDiskLibInfo``: 64 bytes."""

    _fields_ = (
        ("bios_geometry", Geometry),
        ("physical_geometry", Geometry),
        ("capacity", ctypes.c_uint64),
        ("adapter", ctypes.c_int),
        ("links", ctypes.c_int),
        ("parent", ctypes.c_char_p),
        ("uuid", ctypes.c_char_p),
        ("logical_sector_bytes", ctypes.c_uint32),
        ("physical_sector_bytes", ctypes.c_uint32),
    )


class Block(ctypes.Structure):
    """A range of sectors that hold data."""

    _fields_ = (("offset", ctypes.c_uint64), ("length", ctypes.c_uint64))


class BlockList(ctypes.Structure):
    """``VixDiskLibBlockList``: as many blocks follow as the first number says."""

    _fields_ = (("count", ctypes.c_uint32), ("blocks", Block * 1))


LogFunction = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)
"""Takes a format and a ``va_list``."""

_TEXT, _HANDLE = ctypes.c_char_p, ctypes.c_void_p
_PARAMS = ctypes.POINTER(ConnectParams)
_SECTORS = ctypes.c_uint64
_NUMBER = ctypes.POINTER(ctypes.c_uint32)

NEEDED: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "VixDiskLib_InitEx": (
        VixError,
        (ctypes.c_uint32, ctypes.c_uint32, LogFunction, LogFunction, LogFunction, _TEXT, _TEXT),
    ),
    "VixDiskLib_Exit": (None, ()),
    "VixDiskLib_GetErrorText": (_HANDLE, (VixError, _TEXT)),
    "VixDiskLib_FreeErrorText": (None, (_HANDLE,)),
    "VixDiskLib_PrepareForAccess": (VixError, (_PARAMS, _TEXT)),
    "VixDiskLib_EndAccess": (VixError, (_PARAMS, _TEXT)),
    "VixDiskLib_Cleanup": (VixError, (_PARAMS, _NUMBER, _NUMBER)),
    "VixDiskLib_ConnectEx": (VixError, (_PARAMS, ctypes.c_char, _TEXT, _TEXT, ctypes.POINTER(_HANDLE))),
    "VixDiskLib_Disconnect": (VixError, (_HANDLE,)),
    "VixDiskLib_Open": (VixError, (_HANDLE, _TEXT, ctypes.c_uint32, ctypes.POINTER(_HANDLE))),
    "VixDiskLib_Close": (VixError, (_HANDLE,)),
    "VixDiskLib_GetTransportMode": (_TEXT, (_HANDLE,)),
    "VixDiskLib_GetInfo": (VixError, (_HANDLE, ctypes.POINTER(ctypes.POINTER(DiskInfo)))),
    "VixDiskLib_FreeInfo": (None, (ctypes.POINTER(DiskInfo),)),
    "VixDiskLib_Read": (VixError, (_HANDLE, _SECTORS, _SECTORS, ctypes.c_void_p)),
    "VixDiskLib_Write": (VixError, (_HANDLE, _SECTORS, _SECTORS, ctypes.c_void_p)),
}
"""Functions that every library since 6.5 has: what they return and take."""

OPTIONAL: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "VixDiskLib_AllocateConnectParams": (_PARAMS, ()),
    "VixDiskLib_Flush": (VixError, (_HANDLE,)),
    "VixDiskLib_QueryAllocatedBlocks": (
        VixError,
        (_HANDLE, _SECTORS, _SECTORS, _SECTORS, ctypes.POINTER(ctypes.POINTER(BlockList))),
    ),
    "VixDiskLib_FreeBlockList": (VixError, (ctypes.POINTER(BlockList),)),
}
"""Functions that came later."""
LISTING: Final = ("VixDiskLib_QueryAllocatedBlocks", "VixDiskLib_FreeBlockList")
