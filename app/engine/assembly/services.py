"""What the parts of an engine share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from functools import partial

from app.core.access import DiskTransports
from app.core.bus import EventBus
from app.core.clock import Clock
from app.core.hypervisor import HypervisorFactory
from app.domain.clocks import ClockDoubtKind
from app.domain.standbys import Standby
from app.engine.encryption.keystore import KeyStore
from app.engine.history.speeds import Speeds
from app.engine.log.journal import Journal
from app.engine.moving.copies import RuleCopies
from app.engine.platforms.inventories import Inventories
from app.engine.platforms.sessions import Sessions
from app.engine.platforms.sightings import Sightings
from app.engine.platforms.succession import Successions
from app.engine.points.list import PointList
from app.engine.ports import Catalog, RepositoryOpener
from app.engine.program.clockwatch import ClockWatch
from app.engine.program.secretaccess import BoundedSecrets
from app.engine.program.settings import EngineSettings
from app.engine.rules.points import RulePoints
from app.engine.standbys.repositories import Repositories
from app.engine.standbys.watch import StandbyWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the parts of one engine share. Thread: any."""

    catalog: Catalog
    clock: Clock
    zone: Callable[[], tzinfo]
    """The operator's time zone as it is set now."""
    bus: EventBus
    settings: EngineSettings
    journal: Journal
    """The operator's log for what belongs to no task."""
    sessions: Sessions
    inventories: Inventories
    transports: DiskTransports
    repositories: Repositories
    watch: StandbyWatch
    clock_watch: ClockWatch
    """Says whether what is old may be removed."""
    speeds: Speeds
    """How fast tasks read; the recorder gives it their counters."""
    successions: Successions
    rule_points: RulePoints
    point_list: PointList
    copies: RuleCopies
    """The copies of the rules at the standbys."""


def build_services(
    *,
    hypervisors: HypervisorFactory,
    transports: DiskTransports,
    secrets: BoundedSecrets,
    catalog: Catalog,
    opener: RepositoryOpener,
    clock: Clock,
    settings: EngineSettings,
    zone: Callable[[], tzinfo],
    bus: EventBus,
) -> Services:
    """Make what the parts of an engine share; nothing is opened or started yet."""
    changes = catalog.changes
    journal = Journal(catalog.log, clock)
    clock_watch = ClockWatch(catalog.settings, catalog.engines, clock, journal, bus, changes)
    repositories = Repositories(opener, catalog.standbys, KeyStore(secrets))
    sessions = Sessions(hypervisors, catalog.platforms, secrets, Sightings(catalog.sightings, clock))
    return Services(
        catalog=catalog,
        clock=clock,
        zone=zone,
        bus=bus,
        settings=settings,
        journal=journal,
        sessions=sessions,
        inventories=Inventories(sessions, clock),
        transports=transports,
        repositories=repositories,
        watch=StandbyWatch(
            catalog.standbys,
            clock,
            bus,
            changes,
            journal,
            encryption_problem=repositories.encryption_problem,
            note_clock=partial(_note_standby_clock, clock_watch),
        ),
        clock_watch=clock_watch,
        speeds=Speeds(),
        successions=Successions(rules=catalog.rules, journal=journal, clock=clock),
        rule_points=RulePoints(catalog=catalog, repositories=repositories),
        point_list=PointList(catalog.points, repositories, clock),
        copies=RuleCopies(catalog, repositories),
    )


def _note_standby_clock(clock_watch: ClockWatch, standby: Standby, ahead: timedelta) -> None:
    clock_watch.note_other(ClockDoubtKind.STANDBY, standby.id, standby.name, ahead)
