"""A fast reader for large answers of the property collector.

pyVmomi makes an object of every element; with the devices of 10,000 VMs that takes half a minute. The inventory
needs little of it, so this reader walks over the XML once and keeps only that: texts, references, the capacities
and MAC addresses in a device list, and the number of snapshots in a snapshot tree. Only a page that names what can
keep a disk out of backups is read with all that its disks and controllers say.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self
from xml.parsers.expat import ParserCreate

from pyVmomi import vim, vmodl

from app.vsphere.answers import LIMITS, AnswerUnusable, Readable, reading_an_answer
from app.vsphere.disk_traits import SHARED_BUS, DiskTraits
from app.vsphere.properties import PAGE_OBJECTS, Query, counted

_PC = vmodl.query.PropertyCollector

# Depth of the elements in Envelope/Body/…Response/returnval/objects/propSet/val/…
_TOKEN = _OBJECTS = 5
_OBJ = _PROP_SET = 6
_NAME = _VAL = 7
_ITEM = 8
_ITEM_FIELD = 9
_INNER_FIELD = 10

HEAD_BYTES = 1 << 14
"""Where an answer's token is to be found, when it comes first as the interface's description says."""

_WITHOUT_FACTS = frozenset(
    {
        "VirtualIDEController",
        "VirtualPS2Controller",
        "VirtualPCIController",
        "VirtualSIOController",
        "VirtualKeyboard",
        "VirtualPointingDevice",
        "VirtualMachineVideoCard",
        "VirtualMachineVMCIDevice",
        "ParaVirtualSCSIController",
        "VirtualLsiLogicController",
        "VirtualLsiLogicSASController",
        "VirtualBusLogicController",
        "VirtualAHCIController",
        "VirtualNVMEController",
        "VirtualUSBController",
        "VirtualUSBXHCIController",
        "VirtualCdrom",
        "VirtualFloppy",
        "VirtualSerialPort",
        "VirtualParallelPort",
        "VirtualHdAudioCard",
    }
)
"""Devices that are neither disks nor network adapters: most of an answer, and not worth a look inside."""
_SHARING_CONTROLLERS = frozenset(
    {
        "ParaVirtualSCSIController",
        "VirtualLsiLogicController",
        "VirtualLsiLogicSASController",
        "VirtualBusLogicController",
        "VirtualNVMEController",
    }
)
"""Controllers whose bus can be shared with other VMs."""
_SIGNS_OF_ODD_DISKS = (
    *(f"<sharedBus>{name}".encode() for name in sorted(SHARED_BUS)),
    *(b"<diskMode>independent_", b"<sharing>sharingMultiWriter", b"<compatibilityMode>", b"VirtualDiskLocal"),
)
"""What is in every page with disks that backups leave out. Long texts, for they are found fastest."""
_CAPACITIES = frozenset({"capacityInBytes", "capacityInKB"})
_DEVICE_FIELDS = _CAPACITIES | {"controllerKey", "key", "sharedBus"}
_INNER_FIELDS = frozenset({"label", "fileName", "diskMode", "sharing", "compatibilityMode"})
_BACKING_KIND = "backing"
_PERSISTENT_MEMORY = "VirtualDiskLocalPMemBackingInfo"


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference to a managed object."""

    kind: str
    """Wire name of its type, such as ``HostSystem``."""
    moid: str


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What a device list says about disks and network adapters."""

    disk_bytes: int = 0
    """Sum of the capacities of the disks."""
    mac_addresses: tuple[str, ...] = ()
    disk_count: int = 0
    odd_disks: tuple[DiskTraits, ...] = ()
    """Those that backups leave out, or that other VMs may write to."""


@dataclass(frozen=True, slots=True)
class SnapshotCount:
    """How many snapshots a snapshot tree holds."""

    count: int


Value = str | Ref | tuple[Ref, ...] | DeviceFacts | SnapshotCount


@dataclass(slots=True)
class LightRow:
    """The wanted properties of one managed object."""

    ref: Ref
    values: dict[str, Value] = field(default_factory=dict)

    def text(self, path: str) -> str | None:
        """Return a plain value, None when it is unset."""
        value = self.values.get(path)
        return value if isinstance(value, str) else None

    def flag(self, path: str) -> bool:
        """Return a boolean, False when it is unset."""
        return self.values.get(path) in {"true", "1"}

    def reference(self, path: str) -> Ref | None:
        """Return a reference, None when it is unset."""
        value = self.values.get(path)
        return value if isinstance(value, Ref) else None

    def references(self, path: str) -> tuple[Ref, ...]:
        """Return a list of references, empty when it is unset."""
        value = self.values.get(path)
        return value if isinstance(value, tuple) else ()


@dataclass(slots=True)
class LightPage:
    """One answer: its rows, and the token that gets the next one."""

    rows: list[LightRow] = field(default_factory=list)
    token: str | None = None


def retrieve_light(query: Query, specs: list[Any]) -> Iterator[LightRow]:
    """Run a query in pages and yield its rows.

    Raises:
        vmodl.MethodFault, OSError, http.client.HTTPException, xml.parsers.expat.ExpatError: untranslated.
    """
    collector = query.content.propertyCollector
    first, following = type(collector).RetrievePropertiesEx.info, type(collector).ContinueRetrievePropertiesEx.info
    options = _PC.RetrieveOptions(maxObjects=PAGE_OBJECTS)

    def ask(method: Any, *arguments: Any) -> bytes:
        answer: bytes = query.stub.invoke_raw(collector, method, arguments, lambda stream: stream.read())
        return answer

    with ThreadPoolExecutor(1, thread_name_prefix="vsphere-page") as ahead:
        coming: Callable[[], bytes] | None = partial(ask, first, specs, options)
        total = 0
        while coming is not None:
            content = coming()
            reader = LightReader.of(content)
            reader.feed(content[:HEAD_BYTES])
            # The token comes before the rows: while we read them, the platform writes the next page.
            early = reader.page.token
            fetched = ahead.submit(ask, following, early) if early else None
            reader.feed(content[HEAD_BYTES:], is_last=True)
            yield from reader.page.rows
            total = counted(total, reader.page.rows)
            token = reader.page.token
            coming = fetched.result if fetched else partial(ask, following, token) if token else None


def parse_page(stream: Readable) -> LightPage:
    """Read the SOAP answer of ``RetrievePropertiesEx`` or ``ContinueRetrievePropertiesEx``.

    Raises:
        xml.parsers.expat.ExpatError: it is not XML.
        vim.fault.NotAuthenticated: the platform has forgotten the session.
    """
    content = stream.read()
    reader = LightReader.of(content)
    reader.feed(content, is_last=True)
    return reader.page


def _may_have_odd_disks(content: bytes) -> bool:
    """Return whether a page names what can keep a disk out of backups; most do not."""
    return any(sign in content for sign in _SIGNS_OF_ODD_DISKS)


class LightReader:
    """The walk over one answer. Thread: one.

    Attributes:
        page: what was read so far.
    """

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Return a reader for an answer, which is fed to it afterwards."""
        return cls(has_odd_disks=_may_have_odd_disks(content))

    def __init__(self, *, has_odd_disks: bool) -> None:
        self.page = LightPage()
        self._has_odd_disks = has_odd_disks
        self._skipped_kinds = _WITHOUT_FACTS - _SHARING_CONTROLLERS if has_odd_disks else _WITHOUT_FACTS
        self._parser = ParserCreate()
        self._parser.buffer_text = True
        self._skipped = ""
        self._depth = 0
        self._text: list[str] | None = None
        self._row = LightRow(Ref("", ""))
        self._kind = ""
        self._name = ""
        self._value_kind = ""
        self._refs: list[Ref] = []
        self._snapshots = 0
        self._macs: list[str] = []
        self._disks: list[dict[str, str]] = []
        self._controllers: dict[str, str] = {}
        self._device: dict[str, str] | None = None
        self._device_kind = ""
        self._look()

    def feed(self, content: bytes, *, is_last: bool = False) -> None:
        """Read on in the answer.

        Raises:
            xml.parsers.expat.ExpatError: it is not XML, or incomplete at its end.
            AnswerUnusable: it is not an answer of the property collector.
        """
        with reading_an_answer():
            self._parser.Parse(content, is_last)

    def _look(self) -> None:
        """Let the parser report everything."""
        self._parser.StartElementHandler = self.start
        self._parser.CharacterDataHandler = self.characters
        self._parser.EndElementHandler = self.end

    def _skip(self, tag: str) -> None:
        """Let the parser be silent up to the end of an item; nothing inside has the tag of an item."""
        self._skipped = tag
        self._parser.StartElementHandler = None
        self._parser.CharacterDataHandler = None
        self._parser.EndElementHandler = self._end_skipped

    def _end_skipped(self, tag: str) -> None:
        if tag == self._skipped:
            self._look()
            self._depth -= 1

    def characters(self, data: str) -> None:
        """Take text."""
        if self._text is not None:
            self._text.append(data)

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Begin an element."""
        self._depth = depth = self._depth + 1
        if depth > LIMITS.depth:
            raise AnswerUnusable(f"the answer is nested deeper than {LIMITS.depth} elements")
        if depth > _VAL:
            self._start_inside_value(tag, attributes)
        elif depth == _VAL:
            self._text = []
            if _local(tag) == "val":
                self._value_kind = _wire_type(attributes)
                self._kind = attributes.get("type", "")
                self._refs, self._macs, self._snapshots = [], [], 0
                self._disks, self._controllers = [], {}
        elif depth == _OBJ and _local(tag) == "obj":
            self._row = LightRow(Ref(attributes.get("type", ""), ""))
            self._text = []
        elif depth == _TOKEN and _local(tag) == "token":
            self._text = []

    def _start_inside_value(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._device is not None:
            if self._has_odd_disks:
                self._start_inside_device(self._device, tag, attributes)
            elif self._depth == _ITEM_FIELD and tag in _CAPACITIES:
                self._text = []
        elif self._depth == _ITEM:
            self._text = None
            kind = _wire_type(attributes)
            if kind in self._skipped_kinds:
                self._skip(tag)
            elif kind == "NotAuthenticated":  # a missingSet: all values would be taken for unset
                raise vim.fault.NotAuthenticated
            elif kind == "VirtualDisk" or kind in _SHARING_CONTROLLERS:
                self._device, self._device_kind = {}, kind
            elif "type" in attributes:
                self._kind = attributes["type"]
                self._text = []
        elif self._depth == _ITEM_FIELD and tag == "macAddress":
            self._text = []
        if tag in {"rootSnapshotList", "childSnapshotList"}:
            self._snapshots += 1

    def _start_inside_device(self, device: dict[str, str], tag: str, attributes: Mapping[str, str]) -> None:
        depth = self._depth
        if depth == _ITEM_FIELD:
            if tag in _DEVICE_FIELDS:
                self._text = []
            elif tag == "backing":
                device[_BACKING_KIND] = _wire_type(attributes)
        elif depth == _INNER_FIELD and tag in _INNER_FIELDS:
            self._text = []

    def end(self, tag: str) -> None:
        """End an element."""
        depth = self._depth
        self._depth = depth - 1
        if depth > _INNER_FIELD:
            return
        if depth >= _ITEM_FIELD:
            if self._text is not None and self._device is not None:
                self._device[tag] = self._take_text()
            elif self._text is not None and tag == "macAddress":
                self._macs.append(self._take_text())
        elif depth == _ITEM:
            self._end_item()
        elif depth == _VAL:
            self._end_name_or_value(_local(tag))
        elif depth == _PROP_SET and _local(tag) == "obj":
            self._row.ref = Ref(self._row.ref.kind, self._take_text())
        elif depth == _OBJECTS:
            if _local(tag) == "objects":
                self.page.rows.append(self._row)
            elif _local(tag) == "token":
                self.page.token = self._take_text()

    def _end_item(self) -> None:
        if self._device is not None:
            if self._device_kind == "VirtualDisk":
                self._disks.append(self._device)
            else:
                self._controllers[self._device.get("key", "")] = self._device.get("sharedBus", "")
            self._device = None
        elif self._value_kind == "ArrayOfManagedObjectReference" and self._text is not None:
            self._refs.append(Ref(self._kind, self._take_text()))

    def _end_name_or_value(self, tag: str) -> None:
        if tag == "name":
            self._name = self._take_text()
        elif tag == "val":
            self._row.values[self._name] = self._finished_value()
        self._text = None

    def _finished_value(self) -> Value:
        match self._value_kind:
            case "ManagedObjectReference":
                return Ref(self._kind, self._take_text())
            case "ArrayOfManagedObjectReference":
                return tuple(self._refs)
            case "ArrayOfVirtualDevice":
                return DeviceFacts(
                    disk_bytes=sum(_capacity_of(disk) for disk in self._disks),
                    mac_addresses=tuple(self._macs),
                    disk_count=len(self._disks),
                    odd_disks=_odd_disks(self._disks, self._controllers) if self._has_odd_disks else (),
                )
            case "VirtualMachineSnapshotInfo":
                return SnapshotCount(self._snapshots)
            case _:
                return self._take_text()

    def _take_text(self) -> str:
        text = "".join(self._text or ())
        self._text = None
        return text


def _odd_disks(disks: Iterable[Mapping[str, str]], controllers: Mapping[str, str]) -> tuple[DiskTraits, ...]:
    traits = (_traits(disk, controllers.get(disk.get("controllerKey", ""), "")) for disk in disks)
    return tuple(disk for disk in traits if disk.is_shared or disk.unsupported_reason() is not None)


def _capacity_of(disk: Mapping[str, str]) -> int:
    return int(disk.get("capacityInBytes") or 0) or int(disk.get("capacityInKB") or 0) * 1024


def _traits(disk: Mapping[str, str], shared_bus: str) -> DiskTraits:
    return DiskTraits(
        label=disk.get("label") or f"disk {disk.get('key', '')}",
        file_name=disk.get("fileName", ""),
        disk_mode=disk.get("diskMode", ""),
        sharing=disk.get("sharing", ""),
        compatibility_mode=disk.get("compatibilityMode", ""),
        shared_bus=shared_bus,
        is_in_memory=disk.get(_BACKING_KIND) == _PERSISTENT_MEMORY,
    )


def _wire_type(attributes: Mapping[str, str]) -> str:
    """Return the local name in ``xsi:type``, whatever prefix the server chose for that namespace."""
    value = attributes.get("xsi:type")
    if value is None:
        value = next((attribute for name, attribute in attributes.items() if name.endswith(":type")), "")
    return _local(value)


def _local(name: str) -> str:
    return name.rpartition(":")[2]
