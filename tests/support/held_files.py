"""Files that another program has open, as Windows then lets no one rename or delete them."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from pathlib import Path
from unittest.mock import patch

SHARING_VIOLATION = 32
_CALLS = ("rename", "replace", "unlink", "remove")


class Held(PermissionError):
    """What Windows raises while another program holds a file."""

    def __init__(self, name: str, winerror: int = SHARING_VIOLATION) -> None:
        super().__init__(13, "The process cannot access the file", name)
        self.winerror = winerror  # type: ignore[misc,unused-ignore]


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Have a file open inside the block: on Windows really, elsewhere as the program would see it."""
    if os.name == "nt":
        with path.open("rb"):
            yield
    else:
        with scanned(path.name):
            yield


@contextmanager
def scanned(pattern: str, *, attempts: int = sys.maxsize) -> Iterator[None]:
    """Refuse the first attempts to rename or delete each file of a name, as while a scanner reads it."""
    refused: dict[str, int] = {}

    def guard(real: Callable[..., object]) -> Callable[..., object]:
        def guarded(*places: str | os.PathLike[str], **others: object) -> object:
            for place in places:
                name = Path(place).name
                if fnmatch(name, pattern) and refused.get(name, 0) < attempts:
                    refused[name] = refused.get(name, 0) + 1
                    raise Held(name)
            return real(*places, **others)

        return guarded

    with ExitStack() as stack:
        for name in _CALLS:
            stack.enter_context(patch.object(os, name, guard(getattr(os, name))))
        yield
    assert refused, f"nothing like {pattern} was renamed or deleted"
