"""Labs with two simulated platforms."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.migration_lab import MigrationLab

OpenLab = Callable[..., MigrationLab]


@pytest.fixture
def open_lab(tmp_path: Path) -> Iterator[OpenLab]:
    """Return a function that opens a lab for this test alone."""
    with ExitStack() as stack:

        def opened(**fields: Any) -> MigrationLab:
            made = MigrationLab.make(tmp_path, **fields)
            stack.enter_context(made.source)
            stack.enter_context(made.target)
            return stack.enter_context(made)

        yield opened


@pytest.fixture
def lab(open_lab: OpenLab) -> MigrationLab:
    """Between two vCenters; the VM runs and writes only when a test says so."""
    return open_lab()
