"""Files that another program has open, as Windows then lets nobody rename or delete them."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

SHARING_VIOLATION = 32
_CALLS = ("rename", "replace", "unlink", "remove", "link")


class Held(PermissionError):
    """What Windows raises while another program holds a file."""

    def __init__(self, path: object) -> None:
        super().__init__(13, "The process cannot access the file", str(path))
        self.winerror = SHARING_VIOLATION  # type: ignore[misc,unused-ignore]


@contextmanager
def held(path: Path, *, attempts: int = 1_000_000) -> Iterator[None]:
    """Have a file open inside the block, on Windows really, elsewhere as its calls would see it.

    Args:
        path: the file.
        attempts: how many refused calls it takes until the other program lets go.
    """
    left = attempts
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb")) if os.name == "nt" else None

        def guard(real: Callable[..., object]) -> Callable[..., object]:
            def guarded(*args: object, **kwargs: object) -> object:
                nonlocal left
                named = [os.fspath(place) for place in args if isinstance(place, str | os.PathLike)]
                if left > 0 and str(path) in named:
                    left -= 1
                    if file is None:
                        raise Held(path)
                    if not left:
                        try:
                            return real(*args, **kwargs)
                        finally:
                            file.close()
                return real(*args, **kwargs)

            return guarded

        for name in _CALLS:
            stack.enter_context(patch.object(os, name, guard(getattr(os, name))))
        yield
