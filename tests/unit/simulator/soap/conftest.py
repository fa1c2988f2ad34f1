from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.simulator.soap.lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    lab.start()
    yield lab
    lab.stop()
