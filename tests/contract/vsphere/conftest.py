"""A logged-in adapter on each platform that the contract is held against."""

from collections.abc import Iterator
from typing import Final

import pytest

from app.core.clock import SystemClock
from app.simulator.releases import RELEASES
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from app.vsphere.snapshots import SnapshotTimings
from tests.contract.vsphere.platforms import Target, govmomi, ours
from tests.support.fakes import RecordingTaskLog

QUICK = SnapshotTimings(
    quiesce_pause_s=0.01, busy_s=2.0, busy_pause_s=0.05, first_pause_s=0.05, longest_pause_s=0.2
)


GOVMOMI: Final = "govmomi"


@pytest.fixture(scope="module", params=[pytest.param(GOVMOMI, marks=pytest.mark.govmomi), *RELEASES])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A running platform: the Go simulator, and each release of ours; tests of one module share it."""
    folder = tmp_path_factory.mktemp(request.param)
    with govmomi(folder, folders=1) if request.param == GOVMOMI else ours(folder, request.param) as target:
        yield target


@pytest.fixture
def vsphere(target: Target) -> Iterator[VSphereHypervisor]:
    """The adapter, logged in."""
    with VSphereFactory(SystemClock(), timings=QUICK).connect(target.platform, target.password) as session:
        yield session


@pytest.fixture
def log() -> RecordingTaskLog:
    """A task's log."""
    return RecordingTaskLog()
