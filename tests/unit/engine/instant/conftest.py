"""A lab with a simulated vCenter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import libnfs
from tests.support.instant_lab import InstantLab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InstantLab]:
    if not libnfs.is_there():
        pytest.skip("libnfs is not installed")
    made = InstantLab.make(tmp_path)
    with made.simulator, made:
        yield made
