"""An engine on this machine for every test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine_lab import EngineLab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[EngineLab]:
    with EngineLab(tmp_path) as opened:
        yield opened
