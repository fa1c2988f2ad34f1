"""libnfs by ctypes: the functions that are called, with what they take and give.

The library is LGPL 2.1 and loaded when the first export is mounted. Its functions whose names end in ``_async``
begin something and return at once; what they begin goes on in ``nfs_service``, and ends in a call of
:data:`Callback`.
"""

import ctypes
import functools
from typing import Any, Final, Protocol

LIBRARY: Final = "libnfs.so.13"
Context = ctypes.c_void_p
Callback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
"""Takes a negative error number or a result, the context, data (an error's text), and the caller's number."""


class Url(ctypes.Structure):
    """What ``nfs_parse_url_dir`` finds in a URL."""

    _fields_ = (("server", ctypes.c_char_p), ("path", ctypes.c_char_p), ("file", ctypes.c_char_p))


_STAT_FIELDS: Final = (
    "dev ino mode nlink uid gid rdev size blksize blocks atime mtime ctime atime_nsec mtime_nsec ctime_nsec used"
)


class Stat(ctypes.Structure):
    """``struct nfs_stat_64``."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in _STAT_FIELDS.split(" "))


_STATVFS_FIELDS: Final = "bsize frsize blocks bfree bavail files ffree favail fsid flag namemax"


class StatVfs(ctypes.Structure):
    """``struct nfs_statvfs_64``."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in _STATVFS_FIELDS.split(" "))


class Entry(ctypes.Structure):
    """The beginning of ``struct nfsdirent``."""


Entry._fields_ = (("next", ctypes.POINTER(Entry)), ("name", ctypes.c_char_p), ("inode", ctypes.c_uint64))


class Function(Protocol):
    """A function of the library."""

    restype: Any
    argtypes: Any

    def __call__(self, *arguments: Any) -> Any:
        """Call it."""
        ...


_U64, _TEXT, _INT, _VOID = ctypes.c_uint64, ctypes.c_char_p, ctypes.c_int, None
_TYPES: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "nfs_init_context": (Context, ()),
    "nfs_destroy_context": (_VOID, (Context,)),
    "nfs_get_error": (_TEXT, (Context,)),
    "nfs_parse_url_dir": (ctypes.POINTER(Url), (Context, _TEXT)),
    "nfs_destroy_url": (_VOID, (ctypes.POINTER(Url),)),
    "nfs_set_autoreconnect": (_VOID, (Context, _INT)),
    "nfs_set_dircache": (_VOID, (Context, _INT)),
    "nfs_get_fd": (_INT, (Context,)),
    "nfs_which_events": (_INT, (Context,)),
    "nfs_service": (_INT, (Context, _INT)),
    "nfs_readdir": (ctypes.POINTER(Entry), (Context, ctypes.c_void_p)),
    "nfs_closedir": (_VOID, (Context, ctypes.c_void_p)),
    "nfs_get_readmax": (_U64, (Context,)),
}
_BEGUN: Final[dict[str, tuple[Any, ...]]] = {
    "nfs_mount_async": (_TEXT, _TEXT),
    "nfs_open2_async": (_TEXT, _INT, _INT),
    "nfs_close_async": (ctypes.c_void_p,),
    "nfs_pread_async": (ctypes.c_void_p, _U64, _U64),
    "nfs_pwrite_async": (ctypes.c_void_p, _U64, _U64, ctypes.c_void_p),
    "nfs_fsync_async": (ctypes.c_void_p,),
    "nfs_ftruncate_async": (ctypes.c_void_p, _U64),
    "nfs_stat64_async": (_TEXT,),
    "nfs_fstat64_async": (ctypes.c_void_p,),
    "nfs_statvfs64_async": (_TEXT,),
    "nfs_opendir_async": (_TEXT,),
    "nfs_mkdir_async": (_TEXT,),
    "nfs_rmdir_async": (_TEXT,),
    "nfs_unlink_async": (_TEXT,),
    "nfs_rename_async": (_TEXT, _TEXT),
}
"""What comes between the context and the callback."""


@functools.cache
def library() -> ctypes.CDLL:
    """Load the library.

    Raises:
        OSError: it is not installed.
    """
    loaded = ctypes.CDLL(LIBRARY)
    for name, (result, arguments) in _TYPES.items():
        function: Function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    for name, arguments in _BEGUN.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = _INT, (Context, *arguments, Callback, ctypes.c_void_p)
    return loaded


def is_installed() -> bool:
    """Return whether the library is installed."""
    try:
        library()
    except OSError:
        return False
    return True
