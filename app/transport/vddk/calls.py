"""The calls of VixDiskLib that this program needs, one after the other, in the library's own process.

Standard library only. Thread: one calls everything.
"""

import ctypes
import os
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from app.transport.vddk.layouts import (
    CRED_UID,
    LISTING,
    MOST_CHUNKS,
    NEEDED,
    OPEN_READ_ONLY,
    OPTIONAL,
    SECTOR_BYTES,
    SMALLEST_CHUNK_SECTORS,
    SPEC_VMX,
    BlockList,
    ConnectParams,
    DiskInfo,
    LogFunction,
)
from app.transport.vddk.wire import Begin, Trouble

Buffer = ctypes.Array[ctypes.c_char]

_LINE_BYTES: Final = 512
_KEPT_LINES: Final = 8


class CallFailed(Exception):
    """A function of the library failed, or the library cannot be loaded (number 0)."""

    def __init__(self, number: int, trouble: Trouble) -> None:
        super().__init__(trouble.function)
        self.number = number
        self.trouble = trouble


class Library:
    """The loaded library, and at most one connection and one disk of it. Thread: one."""

    def __init__(self, begin: Begin, calling: Callable[[str], None], panicked: Callable[[Trouble], None]) -> None:
        """Load it.

        Args:
            begin: what to do.
            calling: called with the name of each function that may take long.
            panicked: called with the library's last words.

        Raises:
            CallFailed: it cannot be loaded, or lacks a function.
        """
        self._begin = begin
        self._calling = calling
        self._panicked = panicked
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._function = "load"
        self._started = False
        self._connection = ctypes.c_void_p()
        self._disk = ctypes.c_void_p()
        self._loggers = (
            LogFunction(lambda _format, _values: None),
            LogFunction(lambda format_, values: self._lines.append(self._said(format_, values))),
            LogFunction(self._panic),
        )
        self._functions = self._load()
        self._params = self._filled_params()

    # ---- the whole library -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Initialize it.

        Raises:
            CallFailed: as it says.
        """
        begin = self._begin
        folder, config = os.fsencode(begin.library_folder), os.fsencode(begin.config)
        self._call("VixDiskLib_InitEx", begin.major, begin.minor, *self._loggers, folder, config)
        self._started = True

    def hold(self) -> None:
        """Keep the VM on its datastore until it is let go.

        Raises:
            CallFailed: as it says.
        """
        self._call("VixDiskLib_PrepareForAccess", self._params, self._begin.identity.encode())

    def let_go(self) -> None:
        """Let the VM move again.

        Raises:
            CallFailed: as it says.
        """
        self._call("VixDiskLib_EndAccess", self._params, self._begin.identity.encode())

    def clean_up(self) -> tuple[int, int]:
        """Remove what processes that died have left; return how many VMs were cleaned, and how many were not.

        Raises:
            CallFailed: as it says.
        """
        cleaned, remaining = ctypes.c_uint32(), ctypes.c_uint32()
        self._call("VixDiskLib_Cleanup", self._params, ctypes.byref(cleaned), ctypes.byref(remaining))
        return cleaned.value, remaining.value

    def exit(self) -> None:
        """Close what is open, and end the library; never raises."""
        for handle, function in ((self._disk, "VixDiskLib_Close"), (self._connection, "VixDiskLib_Disconnect")):
            if handle.value:
                value, handle.value = handle.value, None
                self._quietly(function, value)
        if self._started:
            self._started = False
            self._calling("VixDiskLib_Exit")
            self._functions["VixDiskLib_Exit"]()

    # ---- one disk --------------------------------------------------------------------------------------------

    def open(self, *, read_only: bool) -> tuple[int, str]:
        """Connect and open the disk; return its size in bytes, and the transport that was taken.

        Raises:
            CallFailed: as it says.
        """
        begin = self._begin
        snapshot = begin.snapshot.encode() or None
        self._call(
            "VixDiskLib_ConnectEx",
            self._params,
            bytes([read_only]),
            snapshot,
            begin.transport.encode(),
            ctypes.byref(self._connection),
        )
        flags = OPEN_READ_ONLY if read_only else 0
        self._call("VixDiskLib_Open", self._connection, begin.path.encode(), flags, ctypes.byref(self._disk))
        info = ctypes.POINTER(DiskInfo)()
        self._call("VixDiskLib_GetInfo", self._disk, ctypes.byref(info))
        capacity_bytes = info.contents.capacity * SECTOR_BYTES
        self._functions["VixDiskLib_FreeInfo"](info)
        mode = self._functions["VixDiskLib_GetTransportMode"](self._disk) or b""
        return capacity_bytes, mode.decode("utf-8", "replace")

    def disconnect(self) -> None:
        """Close the disk and the connection.

        Raises:
            CallFailed: closing failed, and writes may be lost.
        """
        disk, self._disk = self._disk, ctypes.c_void_p()
        self._call("VixDiskLib_Close", disk)
        connection, self._connection = self._connection, ctypes.c_void_p()
        self._call("VixDiskLib_Disconnect", connection)

    def read(self, offset: int, length_bytes: int, buffer: Buffer) -> None:
        """Fill a buffer with whole sectors.

        Raises:
            CallFailed: as it says.
        """
        self._quick("VixDiskLib_Read", self._disk, offset // SECTOR_BYTES, length_bytes // SECTOR_BYTES, buffer)

    def write(self, offset: int, length_bytes: int, data: Buffer) -> None:
        """Write whole sectors.

        Raises:
            CallFailed: as it says.
        """
        self._quick("VixDiskLib_Write", self._disk, offset // SECTOR_BYTES, length_bytes // SECTOR_BYTES, data)

    def flush(self) -> None:
        """Have everything written to the disk; older libraries do that with each write.

        Raises:
            CallFailed: as it says.
        """
        if "VixDiskLib_Flush" in self._functions:
            self._quick("VixDiskLib_Flush", self._disk)

    def allocated(self, offset: int, length_bytes: int) -> list[tuple[int, int]] | None:
        """Return the ranges that hold data as offsets and lengths in bytes; None where the library cannot say.

        A rest behind the last whole chunk is taken for data.

        Raises:
            CallFailed: as it says.
        """
        if any(name not in self._functions for name in LISTING):
            return None
        first, end = offset // SECTOR_BYTES, (offset + length_bytes) // SECTOR_BYTES
        whole = first + (end - first) // SMALLEST_CHUNK_SECTORS * SMALLEST_CHUNK_SECTORS
        found = []
        while first < whole:
            sectors = min(whole - first, MOST_CHUNKS * SMALLEST_CHUNK_SECTORS)
            found += self._blocks(first, sectors)
            first += sectors
        if whole < end:
            found.append((whole, end - whole))
        return [(start * SECTOR_BYTES, count * SECTOR_BYTES) for start, count in found]

    def _blocks(self, first: int, sectors: int) -> list[tuple[int, int]]:
        listing = ctypes.POINTER(BlockList)()
        self._call(LISTING[0], self._disk, first, sectors, SMALLEST_CHUNK_SECTORS, ctypes.byref(listing))
        field = BlockList.blocks
        address = ctypes.addressof(listing.contents) + field.offset
        blocks = (BlockList._fields_[1][1]._type_ * listing.contents.count).from_address(address)
        found = [(block.offset, block.length) for block in blocks]
        self._functions[LISTING[1]](listing)
        return found

    # ---- underneath ------------------------------------------------------------------------------------------

    def _load(self) -> dict[str, Any]:
        self._calling("load")
        file = self._begin.library
        try:
            if sys.platform == "win32":
                os.add_dll_directory(str(Path(file).parent))
            library = ctypes.CDLL(file)
        except OSError as error:
            raise CallFailed(0, Trouble(function="load", text=str(error))) from error
        functions = {}
        for name, (result, arguments) in (NEEDED | OPTIONAL).items():
            function = getattr(library, name, None)
            if function is not None:
                function.restype, function.argtypes = result, arguments
                functions[name] = function
            elif name in NEEDED:
                raise CallFailed(0, Trouble(function="load", text=name))
        return functions

    def _filled_params(self) -> "ctypes._Pointer[ConnectParams]":
        """Return the login as the library wants it; it lives as long as the process."""
        begin = self._begin
        allocate = self._functions.get("VixDiskLib_AllocateConnectParams")
        # Never freed: the library would free our strings with it.
        pointer = allocate() if allocate is not None else ctypes.pointer(ConnectParams())
        params = pointer.contents
        params.vmx_spec, params.server_name = begin.vm.encode(), begin.server.encode()
        params.thumbprint = begin.thumbprint.encode() or None
        params.credentials_kind = CRED_UID
        params.credentials.uid.user_name = begin.user.encode()
        params.credentials.uid.password = begin.password.encode()
        params.port = begin.port
        params.spec_kind = SPEC_VMX
        return pointer

    def _call(self, function: str, *arguments: object) -> None:
        self._calling(function)
        self._quick(function, *arguments)

    def _quick(self, function: str, *arguments: object) -> None:
        self._function = function
        number = self._functions[function](*arguments)
        if number:
            raise CallFailed(number, Trouble(function=function, text=self._text(number), lines=tuple(self._lines)))

    def _quietly(self, function: str, handle: int) -> None:
        try:
            self._call(function, ctypes.c_void_p(handle))
        except CallFailed:
            return

    def _text(self, number: int) -> str:
        pointer = self._functions["VixDiskLib_GetErrorText"](number, None)
        if not pointer:
            return ""
        text = ctypes.string_at(pointer).decode("utf-8", "replace")
        self._functions["VixDiskLib_FreeErrorText"](pointer)
        return self._redacted(text)

    def _panic(self, format_: bytes, values: int) -> None:
        line = self._said(format_, values)
        self._panicked(Trouble(function=self._function, text=line, lines=tuple(self._lines)))

    def _said(self, format_: bytes | None, values: int) -> str:
        if not format_:
            return ""
        buffer = ctypes.create_string_buffer(_LINE_BYTES)
        if sys.platform == "win32":
            printed = ctypes.cdll.msvcrt["_vsnprintf"]
        else:
            printed = ctypes.CDLL(None).vsnprintf
        printed.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p)
        printed(buffer, _LINE_BYTES - 1, format_, values)
        return self._redacted(buffer.value.decode("utf-8", "replace").strip())

    def _redacted(self, text: str) -> str:
        password = self._begin.password
        return text.replace(password, "…") if password else text
