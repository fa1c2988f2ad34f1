"""As many sessions as may be: said with words, waited for, and never made worse by ours."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.patience import Patience
from app.domain.errors import PlatformUnreachable, SessionsExhausted
from app.simulator.releases import RELEASES
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, Flavour, SimulatorSpec, UserSpec, VmSpec
from app.vsphere.factory import VSphereFactory
from app.vsphere.own_sessions import SessionMark
from tests.support.other_client import OtherClient
from tests.support.simulated import platform_of

VM = VmSpec(name="web-01", disks=(DiskSpec(capacity_bytes=4 << 20, filesystem=False),), powered_on=False)
READER = UserSpec(name="reader", password="r", privileges=frozenset())


EVERY = [(flavour, version) for flavour in Flavour for version in RELEASES]


@pytest.fixture(scope="module", params=EVERY, ids=lambda pair: f"{pair[0].value}-{pair[1]}")
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSphereSimulator]:
    flavour, version = request.param
    spec = SimulatorSpec(
        flavour=flavour, version=version, vms=(VM,), hosts=("esx01.lab",), users=(UserSpec(name="root"), READER)
    )
    with VSphereSimulator(spec, tmp_path_factory.mktemp("limit") / "sim") as simulator:
        yield simulator


@pytest.fixture
def simulator(shared: VSphereSimulator) -> Iterator[VSphereSimulator]:
    yield shared
    shared.world.sessions.limit = None
    shared.faults.expire_sessions()


def test_the_limit_is_named_with_its_remedy(simulator: VSphereSimulator) -> None:
    simulator.world.sessions.limit = 1
    factory, platform = VSphereFactory(SystemClock()), platform_of(simulator)
    with factory.connect(platform, simulator.password), pytest.raises(SessionsExhausted) as caught:
        factory.connect(platform, simulator.password)
    assert isinstance(caught.value, PlatformUnreachable), "tasks wait for it as for a platform that is away"
    assert "the limit of its sessions" in caught.value.message
    assert "maxSessionCount" in str(caught.value.remedy())


def test_a_session_that_becomes_free_is_waited_for(simulator: VSphereSimulator) -> None:
    simulator.world.sessions.limit = 1
    factory, platform = VSphereFactory(SystemClock()), platform_of(simulator)
    said: list[object] = []
    patience = Patience(SystemClock(), CancelToken(), 30.0, on_away=said.append)
    first = factory.connect(platform, simulator.password)
    threading.Timer(0.5, first.close).start()
    with patience.through(lambda: factory.connect(platform, simulator.password)) as second:
        assert second.list_vms()
    assert "the limit of its sessions" in str(said[0])


def test_a_session_that_expires_is_replaced_once_there_is_room_again(simulator: VSphereSimulator) -> None:
    with VSphereFactory(SystemClock()).connect(platform_of(simulator), simulator.password) as session:
        session.be_patient(Patience(SystemClock(), CancelToken(), 30.0))
        simulator.faults.expire_sessions()
        simulator.world.sessions.limit = 0

        def make_room() -> None:
            simulator.world.sessions.limit = None

        threading.Timer(0.5, make_room).start()
        assert session.list_vms()


def test_services_that_are_down_altogether_are_not_taken_for_the_limit(simulator: VSphereSimulator) -> None:
    simulator.answer_unavailable(unavailable=True)
    try:
        with pytest.raises(PlatformUnreachable) as caught:
            VSphereFactory(SystemClock()).connect(platform_of(simulator), simulator.password)
    finally:
        simulator.answer_unavailable(unavailable=False)
    assert not isinstance(caught.value, SessionsExhausted)


# ---- what a kill left ------------------------------------------------------------------------------------------


def agents(simulator: VSphereSimulator) -> list[str]:
    return sorted(session.facts.userAgent for session in simulator.world.sessions.all())


def test_what_an_earlier_run_left_is_ended_and_nothing_else(simulator: VSphereSimulator) -> None:
    platform, clock = platform_of(simulator), SystemClock()
    killed, this, others = SessionMark("here"), SessionMark("here"), SessionMark("elsewhere")
    with OtherClient(simulator):
        left = VSphereFactory(clock, mark=killed).connect(platform, simulator.password)
        theirs = VSphereFactory(clock, mark=others).connect(platform, simulator.password)
        unmarked = VSphereFactory(clock).connect(platform, simulator.password)
        factory = VSphereFactory(clock, mark=this)
        with factory.connect(platform, simulator.password), factory.connect(platform, simulator.password):
            found = agents(simulator)
            assert killed.user_agent not in found
            assert found.count(this.user_agent) == 2
            assert others.user_agent in found
            assert len(found) == 5, "another product's session, and those of other installations, are left alone"
        for session in (left, theirs, unmarked):
            session.close()
    assert agents(simulator) == []


def test_a_session_from_another_address_is_left_alone(simulator: VSphereSimulator) -> None:
    platform, clock = platform_of(simulator), SystemClock()
    killed = SessionMark("here")
    left = VSphereFactory(clock, mark=killed).connect(platform, simulator.password)
    (session,) = simulator.world.sessions.all()
    session.facts.ipAddress = "192.0.2.9"
    with VSphereFactory(clock, mark=SessionMark("here")).connect(platform, simulator.password):
        assert killed.user_agent in agents(simulator)
    left.close()


def test_an_account_that_may_not_see_sessions_works_as_ever(simulator: VSphereSimulator) -> None:
    platform = replace(platform_of(simulator), user=READER.name)
    killed = SessionMark("here")
    left = VSphereFactory(SystemClock(), mark=killed).connect(platform, READER.password)
    with VSphereFactory(SystemClock(), mark=SessionMark("here")).connect(platform, READER.password) as session:
        session.list_vms()
        assert killed.user_agent in agents(simulator)
    left.close()
