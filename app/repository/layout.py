"""Names and places of everything at the standby path, safe on every file system."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from blake3 import blake3

from app.core.durable import long_path
from app.domain.ids import PointId, VmId

SETTINGS_NAME = "repository.json"
POINT_NAME = "point.json"
PACK_SUFFIX = ".pack"
LEASE_SUFFIX = ".lease"
PIN_SUFFIX = ".pin"
WAITING_SUFFIX = ".waiting"
RULES_SUFFIX = ".rules"
TAKEN_SUFFIX = ".taken"
SCRATCH_SUFFIX = ".new"
FILES_NAME = "files"
CHANGES_NAME = "changes"

_HEX_ID = re.compile(r"[0-9a-f]{32}")
_CONSOLE_ID = re.compile(r"[0-9a-f]{20,32}")
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}_\d{2}-\d{2}-\d{2}(?:_\d{2})?")
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(?:[.:].*)?",
    re.IGNORECASE | re.DOTALL,
)
"""Names of devices on Windows, whatever follows the first dot, with blanks before it or not."""
_ONCE_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_LONGEST_NAME_BYTES = 240


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths inside one repository."""

    root: Path

    @property
    def base(self) -> Path:
        """The root as the system is asked for it: paths on Windows may be longer than 260 characters."""
        return long_path(self.root)

    @property
    def settings(self) -> Path:
        """The file that makes a directory a repository."""
        return self.base / SETTINGS_NAME

    @property
    def keys(self) -> Path:
        """Wrapped keys of an encrypted repository."""
        return self.base / "keys"

    @property
    def packs(self) -> Path:
        """Sealed packs, in 256 directories by the first two digits of their ids."""
        return self.base / "packs"

    @property
    def points(self) -> Path:
        """Committed points."""
        return self.base / "points"

    @property
    def staging(self) -> Path:
        """Everything that is not committed, in one directory per lease."""
        return self.base / "staging"

    @property
    def locks(self) -> Path:
        """Leases."""
        return self.base / "locks"

    @property
    def pins(self) -> Path:
        """Pins; missing where a repository was never pinned by a program that knows them."""
        return self.base / "pins"

    @property
    def recoveries(self) -> Path:
        """What VMs write that run from points, a directory for each; missing where none ever did."""
        return self.base / "recoveries"

    @property
    def consoles(self) -> Path:
        """Copies of the rules of the consoles that write here; missing where none that knows of them ever did."""
        return self.base / "consoles"

    @property
    def trash(self) -> Path:
        """Deleted points within their grace time."""
        return self.base / "trash"

    @property
    def damaged(self) -> Path:
        """Packs that were set aside."""
        return self.base / "damaged"

    @property
    def directories(self) -> tuple[Path, ...]:
        """All directories that a repository has; each is one itself, and no link to one."""
        return (
            *(self.keys, self.packs, self.points, self.staging, self.locks, self.pins, self.trash, self.damaged),
            *(self.recoveries, self.consoles),
        )

    def recovery(self, recovery_id: str) -> Path:
        """Return the directory of what a VM writes that runs from a point.

        Raises:
            ValueError: the id could lead outside the repository.
        """
        if not _HEX_ID.fullmatch(recovery_id):
            raise ValueError(f"not the id of a recovery: {recovery_id!r}")
        return self.recoveries / recovery_id

    def pack(self, pack_id: str) -> Path:
        """Return the path of a sealed pack."""
        return self.packs / pack_id[:2] / f"{pack_id}{PACK_SUFFIX}"

    def point(self, point: PointId) -> Path:
        """Return a committed point's directory.

        Raises:
            ValueError: the id could lead outside the repository.
        """
        chain, stamp = split_point_id(point)
        return self.points / chain / stamp


def is_pack_id(text: str) -> bool:
    """Return whether the text is 32 lower-case hexadecimal digits."""
    return _HEX_ID.fullmatch(text) is not None


def is_pin_id(text: str) -> bool:
    """Return whether the text is 32 lower-case hexadecimal digits."""
    return _HEX_ID.fullmatch(text) is not None


def is_console_id(text: str) -> bool:
    """Return whether the text is the mark of a console: 20 to 32 lower-case hexadecimal digits."""
    return _CONSOLE_ID.fullmatch(text) is not None


def is_stamp(text: str) -> bool:
    """Return whether the text is the name of a point's directory."""
    return _STAMP.fullmatch(text) is not None


def stamp_of(moment: datetime, attempt: int = 0) -> str:
    """Name a point's directory for its moment, in UTC; ``attempt`` distinguishes points of one second.

    Raises:
        ValueError: there are more than 99 attempts.
    """
    stamp = moment.astimezone(UTC).strftime("%Y-%m-%d_%H-%M-%S")
    if not attempt:
        return stamp
    if attempt > 99:
        raise ValueError("too many points in one second")
    return f"{stamp}_{attempt:02d}"


def is_safe_name(name: str) -> bool:
    """Return whether a file of this name can be made, and stays inside its directory, on every system."""
    return is_readable_name(name) and _RESERVED.fullmatch(name) is None


def is_readable_name(name: str) -> bool:
    """Return whether a file of this name may be read: earlier versions made some that are not safe today."""
    return (
        0 < len(name.encode("utf-8", "surrogatepass")) <= _LONGEST_NAME_BYTES
        and name not in (".", "..")
        and not name.endswith((".", " "))
        and not name.startswith(" ")
        and _ONCE_RESERVED.fullmatch(name) is None
        and all(_is_safe_character(character) or character in " ()+,=@~" for character in name)
    )


def folded(name: str) -> str:
    """Return what names have in common that a file system may take for one: case, composition, and width.

    No file system folds more than this; where it folds less, two names are only kept apart without need.
    """
    once = unicodedata.normalize("NFKC", name).upper().casefold()
    return unicodedata.normalize("NFKC", once).casefold()


def composed(name: str) -> str:
    """Return the spelling in which names are made; some file systems return them decomposed."""
    return unicodedata.normalize("NFC", name)


def split_point_id(point: PointId) -> tuple[str, str]:
    """Split a point's id into chain and stamp.

    Raises:
        ValueError: it is not ``<chain>/<stamp>`` with safe names.
    """
    chain, slash, stamp = point.partition("/")
    if not slash or not is_stamp(stamp) or not is_readable_name(chain):
        raise ValueError(f"not a point id: {point!r}")
    return chain, stamp


def chain_name(rule_name: str, vm: VmId, platform_address: str) -> str:
    """Name the directory of all points of one VM in one rule: ``<rule>_BAK_<vmid>_<platform address>``.

    A part that had to be changed to be safe ends in a digest of what it was, so that two stay two.
    """
    rest = f"_BAK_{_safe_part(vm, 48)}_{_safe_part(platform_address, 72)}"
    rule = _safe_part(rule_name, 96)
    if _RESERVED.fullmatch(f"{rule}{rest}"):
        rule = _marked(f"_{rule.partition('~')[0]}", rule_name, 96)
    return f"{rule}{rest}"


def chain_name_apart(rule_name: str, vm: VmId, platform_address: str) -> str:
    """Name the chain of a VM so that no other name means the same directory, whatever the file system folds."""
    rule = _marked(rule_name, "\0".join((rule_name, vm, platform_address)), 96)
    name = f"{rule}_BAK_{_safe_part(vm, 48)}_{_safe_part(platform_address, 72)}"
    return name if _RESERVED.fullmatch(name) is None else f"_{name}"


def free_chain_name(name: str, apart: str, there: Iterable[str]) -> str:
    """Return which of two names a chain has, among those that are there: the second where another may fold."""
    chains = {composed(chain) for chain in there}
    if name in chains and apart not in chains:
        return name
    shared = any(folded(chain) == folded(name) for chain in chains)
    return apart if shared or apart in chains else name


def _safe_part(text: str, longest_bytes: int) -> str:
    safe = _shortened(text, longest_bytes)
    return safe if safe == text else _marked(text, text, longest_bytes)


def _marked(text: str, whole: str, longest_bytes: int) -> str:
    """Return a safe form of a text, with a digest of the whole it stands for."""
    mark = blake3(whole.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_shortened(text, longest_bytes)}~{mark}"


def _shortened(text: str, longest_bytes: int) -> str:
    safe = "".join(character if _is_safe_character(character) else "-" for character in composed(text))
    return safe.encode("utf-8", "ignore")[: longest_bytes - 9].decode("utf-8", "ignore").strip(". ")


def _is_safe_character(character: str) -> bool:
    return character in "-._" or unicodedata.category(character) in _SAFE_CATEGORIES


_SAFE_CATEGORIES = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Mn", "Mc"})
