"""Who looks at the VMs of a platform again and again does it over one session, which does not stay for ever."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.cli.demo.stage import Stage, open_host, open_simulator, register
from app.contract.platforms import ListVms, RemovePlatform, UpdatePlatform
from app.engine.platforms.inventories import KEPT_S
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from app.simulator.vm.virtual_machine import VirtualMachine
from tests.support.fast_clock import FastClock
from tests.support.waiting import wait_until

DISK = DiskSpec(capacity_bytes=1 << 20, filesystem=False)
SPEC = SimulatorSpec(vms=tuple(VmSpec(name=f"web-{number:02}", disks=(DISK,)) for number in range(4)))


@pytest.fixture
def clock() -> FastClock:
    """A clock on which a session is kept for two seconds."""
    return FastClock(KEPT_S / 2)


@pytest.fixture
def stage(tmp_path: Path, clock: FastClock) -> Iterator[Stage]:
    with open_simulator(tmp_path, SPEC) as simulator, open_host(tmp_path / "home", "a passphrase", clock) as host:
        yield register(tmp_path, simulator, host.engine)


def names(stage: Stage) -> list[str]:
    return [vm.name for vm in stage.engine.ask(ListVms(platform=stage.platform))]


def logged_in(stage: Stage) -> int:
    return len(stage.simulator.world.sessions.all())


def test_looks_share_a_session_and_see_what_changed(stage: Stage) -> None:
    assert names(stage) == ["web-00", "web-01", "web-02", "web-03"]
    logins = stage.simulator.faults.calls("Login")
    next(vm for vm in stage.simulator.world.all(VirtualMachine) if vm.name == "web-02").rename("a web")
    with ThreadPoolExecutor(4) as pool:
        looks = list(pool.map(lambda _: names(stage), range(8)))
    assert all(look == ["a web", "web-00", "web-01", "web-03"] for look in looks)
    assert stage.simulator.faults.calls("Login") == logins
    assert logged_in(stage) == 1

    def is_logged_out() -> bool:
        stage.engine.tick()
        return not logged_in(stage)

    wait_until(is_logged_out, what="the session to be ended behind the last look", deadline_s=60)
    assert names(stage) == ["a web", "web-00", "web-01", "web-03"]


def test_a_platform_that_is_changed_or_removed_is_logged_out_of(stage: Stage) -> None:
    names(stage)
    thumbprint = stage.simulator.thumbprint_sha256
    change = UpdatePlatform(
        platform=stage.platform, name="another", user=stage.simulator.user, thumbprint_sha256=thumbprint
    )
    stage.engine.execute(change)
    assert not logged_in(stage)
    names(stage)
    stage.engine.execute(RemovePlatform(platform=stage.platform))
    assert not logged_in(stage)


def test_a_session_that_is_lost_is_replaced(stage: Stage) -> None:
    expected = names(stage)
    stage.simulator.faults.expire_sessions()
    assert names(stage) == expected
    stage.simulator.go_away()
    stage.simulator.come_back()
    assert names(stage) == expected


def test_nobody_is_logged_in_behind_the_engine(tmp_path: Path) -> None:
    with open_simulator(tmp_path, SPEC) as simulator:
        with open_host(tmp_path / "home", "a passphrase") as host:
            stage = register(tmp_path, simulator, host.engine)
            names(stage)
            assert logged_in(stage) == 1
        assert not logged_in(stage)
