"""Whatever is set up here is there after an export and an import into an empty home, and nothing else is."""

import tempfile
import uuid
from datetime import UTC, datetime, time
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from app.catalog.catalog import Catalog
from app.contract.moving import ItemDecision
from app.core.clock import SystemClock
from app.domain.hooks import AllHooks, HookCommand, Hooks
from app.domain.ids import PlatformId, RuleId, StandbyId, VmId
from app.domain.moving import ItemChoice, ItemState, StandbyWithRepositories
from app.domain.notifications import NotificationSettings
from app.domain.platforms import Platform
from app.domain.policies import (
    GrandfatherFatherSon,
    OneTimePolicy,
    PeriodicPolicy,
    Plan,
    PolicyUnit,
    Retention,
    RetryPlan,
    Weekday,
)
from app.domain.rules import AdvancedSettings, BackupRule, ProtectedVm
from app.domain.standbys import EncryptionMode, Standby
from app.domain.states import BackupKind, TransportMode
from app.domain.transports import whole_order
from app.engine.moving.collected import Known
from app.engine.moving.compare import compare
from app.engine.moving.form import read_file, write_file
from app.engine.moving.gather import gather, read_known
from app.secretstore.file_format import Cost

PASSPHRASE = "otter lamp crane seventeen"
NOW = datetime(2026, 3, 2, tzinfo=UTC)
QUICK = Cost(n=16)

ids = st.uuids(version=4).map(str)
words = (
    st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=20)
    .map(lambda text: text.strip() or "x")
    .filter(str.isprintable)
)
times = st.lists(st.builds(time, st.integers(0, 23), st.integers(0, 59)), min_size=1, max_size=3, unique=True).map(
    tuple
)
plans = st.builds(
    Plan,
    unit=st.sampled_from(PolicyUnit),
    kind=st.sampled_from(BackupKind),
    times=times,
    weekdays=st.frozensets(st.sampled_from(Weekday), min_size=1),
    month_day=st.integers(1, 31),
    quarter_month=st.integers(1, 3),
)
retries = st.builds(RetryPlan, times=st.integers(0, 10), pause_min=st.integers(1, 1440))
retentions = st.builds(
    Retention,
    period=st.integers(1, 64),
    unit=st.sampled_from(PolicyUnit),
    keep_newest=st.integers(0, 1000),
    gfs=st.builds(GrandfatherFatherSon, days=st.integers(0, 1000), years=st.integers(0, 1000)),
)
policies = st.one_of(
    st.builds(OneTimePolicy, start=st.datetimes(timezones=st.just(UTC)), retry=retries),
    st.builds(
        PeriodicPolicy,
        plans=st.lists(plans, min_size=1, max_size=3).map(tuple),
        retention=retentions,
        run_missed_on_start=st.booleans(),
        retry=retries,
    ),
)
platforms = st.builds(
    Platform,
    id=ids.map(PlatformId),
    name=words,
    address=st.integers(0, 255).map(lambda number: f"10.0.0.{number}"),
    port=st.integers(1, 65535),
    user=words,
    thumbprint_sha256=st.one_of(st.none(), st.just(":".join(["AB"] * 32))),
    allows_plain_transport=st.booleans(),
    former_addresses=st.lists(words, max_size=2).map(tuple),
    transports=st.permutations(list(TransportMode)).map(whole_order),
)
standbys = st.builds(
    StandbyWithRepositories,
    standby=st.builds(
        Standby,
        id=ids.map(StandbyId),
        name=words,
        root_path=st.integers(0, 999).map(lambda number: f"/mnt/{number}"),
        note=words,
        mark=st.one_of(st.none(), ids),
        encryption=st.sampled_from(EncryptionMode),
    ),
    repositories=st.dictionaries(
        st.sampled_from(["", "vm", "vm/deep", "生产"]), st.tuples(ids, st.booleans()), max_size=3
    ).map(lambda found: tuple(sorted((path, *rest) for path, rest in found.items()))),
)
hooks = st.builds(
    Hooks,
    before=st.builds(HookCommand, arguments=st.lists(words, min_size=1, max_size=3).map(tuple)),
)
settings = st.builds(NotificationSettings, desktop=st.booleans(), digest_at=st.builds(time, st.integers(0, 23)))


@st.composite
def homes(draw: st.DrawFn) -> Known:
    """Draw everything that may be set up on a workstation."""
    there = draw(
        st.lists(platforms, max_size=3, unique_by=(lambda one: one.name.casefold(), lambda one: one.address))
    )
    kept = draw(
        st.lists(
            standbys,
            max_size=3,
            unique_by=(
                lambda one: one.standby.name.casefold(),
                lambda one: one.standby.root_path,
                lambda one: one.standby.mark or one.standby.id,
            ),
        )
    )
    rules: list[BackupRule] = []
    if there and kept:
        names = draw(st.lists(words, max_size=4, unique_by=str.casefold))
        for number, name in enumerate(names):
            rules.append(
                BackupRule(
                    id=RuleId(str(uuid.UUID(int=number + 1))),
                    name=name,
                    platform=draw(st.sampled_from(there)).id,
                    standby=draw(st.sampled_from(kept)).standby.id,
                    target_path=draw(st.sampled_from(["", "vm", "vm/deep"])),
                    vms=tuple(
                        ProtectedVm(
                            vm=VmId(f"vm-{number}-{index}"),
                            name=draw(words),
                            is_started=draw(st.booleans()),
                            instance_uuid=draw(st.one_of(st.none(), ids)),
                        )
                        for index in range(draw(st.integers(1, 3)))
                    ),
                    advanced=AdvancedSettings(quiesce=draw(st.booleans()), lan_free=draw(st.booleans())),
                    policy=draw(policies),
                )
            )
    own = {rule.id: draw(hooks) for rule in rules if draw(st.booleans())}
    return Known(
        platforms=tuple(sorted(there, key=lambda one: one.name)),
        standbys=tuple(sorted(kept, key=lambda one: one.standby.name)),
        rules=tuple(sorted(rules, key=lambda one: one.name)),
        notifications=draw(settings),
        hooks=AllHooks(common=draw(st.one_of(st.just(Hooks()), hooks)), rules=own),
    )


def notifications_in(documents: dict[str, str]) -> NotificationSettings:
    body = documents.get("notifications")
    return NotificationSettings() if body is None else msgspec.json.decode(body, type=NotificationSettings)


@given(home=homes(), secrets=st.dictionaries(words, words, max_size=3))
def test_an_import_into_an_empty_home_gives_what_was_exported(home: Known, secrets: dict[str, str]) -> None:
    opened = read_file(write_file(gather(home, NOW), secrets, PASSPHRASE, QUICK), PASSPHRASE)
    assert opened.secrets == secrets
    compared = compare(opened.configuration, Known())
    with (
        tempfile.TemporaryDirectory() as folder,
        Catalog.open(Path(folder) / "catalog.db", clock=SystemClock()) as catalog,
    ):
        catalog.intake.take_in(compared.intake, NOW)
        taken = notifications_in(dict(compared.intake.documents))
        there = read_known(catalog, taken)
    assert there == home
    again = compare(opened.configuration, there)
    assert {item.state for item in again.items} <= {ItemState.SAME}
    assert again.intake.is_empty


@given(home=homes(), other=homes(), choices=st.lists(st.sampled_from(ItemChoice), max_size=12))
def test_whatever_is_chosen_what_was_not_named_stays(home: Known, other: Known, choices: list[ItemChoice]) -> None:
    configuration = gather(other, NOW)
    first = compare(configuration, home)
    decisions = [
        ItemDecision(kind=item.kind, key=item.key, choice=choice, replaces=item.known_id)
        for item, choice in zip(first.items, choices, strict=False)
    ]
    intake = compare(configuration, home, decisions).intake
    named = {decision.replaces for decision in decisions if decision.choice is ItemChoice.REPLACE}
    here = {platform.id for platform in home.platforms} | {row.standby.id for row in home.standbys}
    written = {platform.id for platform in intake.platforms} | {row.standby.id for row in intake.standbys}
    assert here & written <= named
    assert {rule.id for rule in home.rules} & {rule.id for rule in intake.rules} <= named
