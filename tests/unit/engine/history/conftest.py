"""An engine whose clock stands still until a test turns it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.rule_lab import RuleLab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RuleLab]:
    with RuleLab(tmp_path) as opened:
        yield opened
