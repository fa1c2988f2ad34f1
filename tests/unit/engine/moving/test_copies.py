"""The copies of the rules at the standby: as the rules are, without commands and secrets; and forged ones."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from app.contract.moving import InspectTakeOver, TakeOver
from app.core.bus import EventBus
from app.core.clock import SystemClock
from app.domain.changes import Changed, Subject
from app.domain.hooks import AllHooks, HookCommand, Hooks
from app.domain.ids import PlatformId, RuleId, VmId
from app.domain.notifications import NotificationSettings
from app.domain.policies import PeriodicPolicy
from app.domain.rules import BackupRule, ProtectedVm
from app.engine.hooks.run import keep_hooks, read_hooks
from app.engine.moving.copies import RuleCopies
from app.engine.moving.form import Configuration, RuleEntry
from app.engine.moving.gather import gather, read_known
from app.repository import Repository
from tests.support.engine_lab import EngineLab
from tests.support.rule_lab import daily
from tests.support.waiting import wait_until

OTHER = "c" * 20
HOOKS = Hooks(before=HookCommand(arguments=("/bin/flush-secretly",)))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[EngineLab]:
    with EngineLab(tmp_path) as made:
        yield made


def rule(lab: EngineLab) -> BackupRule:
    return BackupRule(
        id=RuleId("r1"),
        name="nightly",
        platform=lab.platform,
        standby=lab.standby,
        target_path="vm",
        vms=(ProtectedVm(vm=VmId("vm-1"), name="web-01", is_started=False),),
        policy=PeriodicPolicy(plans=(daily("03:30"),)),
    )


def add_rule(lab: EngineLab) -> BackupRule:
    made = rule(lab)
    lab.catalog.rules.add(made, lab.clock.now(), lab.clock.now())
    return made


def copies(lab: EngineLab) -> list[Configuration]:
    with lab.engine.services.repositories.lease(lab.standby, "vm") as repository:
        return [msgspec.json.decode(copy.rules, type=Configuration) for copy in repository.consoles.listing()]


def rules_in(lab: EngineLab) -> list[RuleEntry]:
    return [entry for copy in copies(lab) for entry in copy.rules]


def test_a_copy_follows_the_rules_without_commands_and_passwords(lab: EngineLab) -> None:
    with lab.engine.services.repositories.lease(lab.standby, "vm"):
        pass  # the repository is there, as after a first backup
    made = add_rule(lab)
    keep_hooks(lab.catalog.settings, AllHooks(common=HOOKS, rules={made.id: HOOKS}))
    wait_until(lambda: len(rules_in(lab)) == 1, deadline_s=20, what="the copy of a new rule")
    lab.catalog.rules.set_policy(made.id, PeriodicPolicy(plans=(daily("21:15"),)), lab.clock.now())
    wait_until(
        lambda: rules_in(lab)[0].policy.policy == PeriodicPolicy(plans=(daily("21:15"),)),
        deadline_s=20,
        what="the copy of another policy",
    )
    stored = b"".join(path.read_bytes() for path in (lab.directory / "standby" / "vm" / "consoles").iterdir())
    assert b"flush-secretly" not in stored
    assert not [secret for secret in lab.secrets.values.values() if secret.encode() in stored]
    lab.catalog.rules.remove(made.id)
    wait_until(lambda: rules_in(lab) == [], deadline_s=20, what="the copy of no rule")


def forge(lab: EngineLab, content: bytes) -> None:
    """Write what another console may have written, or who pretends to be one."""
    with lab.engine.services.repositories.lease(lab.standby, "vm"):
        pass
    root = lab.directory / "standby" / "vm"
    with Repository.open(root, local_dir=lab.directory / "other", clock=SystemClock(), holder=OTHER) as theirs:
        theirs.publish_rules(content)


def configuration(lab: EngineLab, entry: BackupRule) -> Configuration:
    known = read_known(lab.catalog, NotificationSettings(desktop=False))
    there = replace(known, rules=(entry,), hooks=AllHooks(common=HOOKS, rules={entry.id: HOOKS}))
    return gather(there, lab.clock.now())


def test_commands_platforms_and_settings_of_a_forged_copy_are_not_taken(lab: EngineLab) -> None:
    forged = configuration(lab, rule(lab))
    evil = replace(lab.catalog.platforms.all()[0], id=PlatformId("evil"), name="evil", address="evil.example")
    forge(lab, msgspec.json.encode(msgspec.structs.replace(forged, platforms=(*forged.platforms, evil))))
    before = lab.catalog.platforms.all(), lab.catalog.standbys.all(), dict(lab.secrets.values)
    (found,) = lab.engine.ask(InspectTakeOver(standby=lab.standby))
    report = lab.engine.execute(
        TakeOver(standby=lab.standby, console=found.console, confirmation=found.host, stopped=True)
    )
    assert report.adopted == ("nightly",)
    assert read_hooks(lab.catalog.settings) == AllHooks()
    assert (lab.catalog.platforms.all(), lab.catalog.standbys.all(), dict(lab.secrets.values)) == before
    assert lab.catalog.settings.get("notifications") is None


@pytest.mark.parametrize("content", [b"{}", b"[]", b'"x"', b'{"rules":[{"id":1}]}', b"null"])
def test_a_copy_that_is_none_is_passed_over(lab: EngineLab, content: bytes) -> None:
    forge(lab, content)
    assert lab.engine.ask(InspectTakeOver(standby=lab.standby)) == ()


@pytest.mark.parametrize(
    "changes", [{"name": ""}, {"name": "x" * 65}, {"vms": ()}, {"policy": PeriodicPolicy(plans=())}]
)
def test_a_rule_of_a_forged_copy_that_cannot_work_is_left(lab: EngineLab, changes: dict[str, object]) -> None:
    forge(lab, msgspec.json.encode(configuration(lab, replace(rule(lab), **changes))))  # type: ignore[arg-type]
    (found,) = lab.engine.ask(InspectTakeOver(standby=lab.standby))
    report = lab.engine.execute(TakeOver(standby=lab.standby, console=found.console, confirmation=found.host))
    assert (report.adopted, len(report.left), lab.catalog.rules.all()) == ((), 1, ())


def test_what_changes_while_the_engine_ends_begins_no_more_work(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        copies = RuleCopies(lab.catalog, lab.engine.services.repositories)
        bus, begun = EventBus(), list[str]()

        def at_once(name: str, work: Callable[[], None]) -> None:
            begun.append(name)
            work()

        copies.start(bus, at_once)
        changed = Changed(at=lab.clock.now(), subject=Subject.RULES, keys=())
        bus.publish(changed)
        assert len(begun) == 2
        copies.close()
        bus.publish(changed)
        assert len(begun) == 2
