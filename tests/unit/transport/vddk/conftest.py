"""A stand-in for VMware's library, which may complain of nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.vddk_lab import VddkLab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[VddkLab]:
    """Lay the stand-in out; at the end it must have seen nothing that no documentation explains."""
    made = VddkLab(tmp_path)
    yield made
    assert made.violations() == []
