"""One simulated vSphere with an engine for the tests of a module, and a fresh one where a test breaks things."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.cli.demo.stage import Stage, open_stage
from app.simulator.spec import SimulatorSpec
from tests.support.stage import small_spec

OpenStage = Callable[..., Stage]


@pytest.fixture
def open_fresh_stage(tmp_path: Path) -> Iterator[OpenStage]:
    """Return a function that sets a stage up for this test alone."""
    with ExitStack() as stack:

        def opened(spec: SimulatorSpec | None = None) -> Stage:
            return stack.enter_context(open_stage(tmp_path, spec or small_spec()))

        yield opened


@pytest.fixture
def stage(open_fresh_stage: OpenStage) -> Stage:
    """A vCenter with one VM of two small disks."""
    return open_fresh_stage()
