"""Errors at the engine's door: the same code, whatever way the caller came."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.domain.errors import OperationalError


@contextmanager
def refused(
    kind: type[OperationalError], match: str | None = None
) -> Iterator[pytest.ExceptionInfo[OperationalError]]:
    """Expect an error with the code of a kind; from an engine in another process it is an ``EngineError``."""
    with pytest.raises(OperationalError, match=match) as caught:
        yield caught
    assert caught.value.code == kind.code
