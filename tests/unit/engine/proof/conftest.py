"""Labs whose guests have tools, or none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import libnfs
from tests.support.proof_lab import ProofLab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ProofLab]:
    """A lab whose guests have no tools."""
    yield from _opened(tmp_path, has_tools=False)


@pytest.fixture
def with_tools(tmp_path: Path) -> Iterator[ProofLab]:
    """A lab whose guests have tools."""
    yield from _opened(tmp_path, has_tools=True)


def _opened(directory: Path, *, has_tools: bool) -> Iterator[ProofLab]:
    if not libnfs.is_there():
        pytest.skip("libnfs is not installed")
    made = ProofLab.make(directory, foreign_guests_have_tools=has_tools)
    with made.simulator, made:
        yield made
