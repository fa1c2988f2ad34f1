"""What an import would do: new, the same, different or refused, and which ways the operator has."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from app.contract.moving import ItemDecision
from app.domain.hooks import AllHooks, HookCommand, Hooks
from app.domain.ids import PlatformId, RuleId, StandbyId, VmId
from app.domain.moving import ItemChoice, ItemKind, ItemState, StandbyWithRepositories
from app.domain.notifications import EmailSettings, NotificationSettings
from app.domain.platforms import Platform
from app.domain.policies import OneTimePolicy, PeriodicPolicy
from app.domain.rules import BackupRule, ProtectedVm
from app.domain.standbys import EncryptionMode, Standby
from app.engine.moving.collected import Comparison, Known
from app.engine.moving.compare import compare
from app.engine.moving.form import Configuration
from app.engine.moving.gather import gather
from tests.support.rule_lab import daily

NOW = datetime(2026, 3, 2, tzinfo=UTC)
PLATFORM = Platform(id=PlatformId("p1"), name="vCenter", address="vc", user="u", thumbprint_sha256="AB")
STANDBY = Standby(id=StandbyId("s1"), name="nas", root_path="/mnt/nas", mark="m1")
RULE = BackupRule(
    id=RuleId("r1"),
    name="nightly",
    platform=PLATFORM.id,
    standby=STANDBY.id,
    target_path="vm",
    vms=(ProtectedVm(vm=VmId("vm-1"), name="web-01"),),
    policy=PeriodicPolicy(plans=(daily("03:30"),)),
)


def known(
    *,
    platforms: tuple[Platform, ...] = (PLATFORM,),
    standbys: tuple[Standby, ...] = (STANDBY,),
    rules: tuple[BackupRule, ...] = (RULE,),
    hooks: AllHooks | None = None,
) -> Known:
    rows = tuple(StandbyWithRepositories(standby=standby) for standby in standbys)
    return Known(platforms=platforms, standbys=rows, rules=rules, hooks=hooks or AllHooks())


def file_of(there: Known) -> Configuration:
    return gather(there, NOW)


def states(compared: Comparison) -> dict[ItemKind, ItemState]:
    return {item.kind: item.state for item in compared.items}


def item(compared: Comparison, kind: ItemKind) -> ItemState:
    return states(compared)[kind]


def decide(kind: ItemKind, key: str, choice: ItemChoice, replaces: str = "") -> ItemDecision:
    return ItemDecision(kind=kind, key=key, choice=choice, replaces=replaces)


def test_everything_is_new_in_an_empty_home() -> None:
    compared = compare(file_of(known()), Known())
    assert compared.intake.platforms == (PLATFORM,)
    assert [row.standby for row in compared.intake.standbys] == [STANDBY]
    assert compared.intake.rules == (RULE,)


def test_what_is_here_already_is_left_alone() -> None:
    compared = compare(file_of(known()), known())
    assert set(states(compared).values()) == {ItemState.SAME}
    assert compared.intake.is_empty


def test_nothing_is_replaced_that_was_not_named() -> None:
    here = known(platforms=(replace(PLATFORM, user="here"),))
    compared = compare(file_of(known()), here)
    assert item(compared, ItemKind.PLATFORM) is ItemState.DIFFERS
    assert compared.items[0].differences == ("user",)
    assert compared.intake.is_empty


def test_a_platform_at_the_same_address_is_known_under_another_id() -> None:
    here = known(platforms=(replace(PLATFORM, id=PlatformId("p9")),), rules=())
    compared = compare(file_of(known()), here)
    assert item(compared, ItemKind.PLATFORM) is ItemState.SAME
    assert compared.intake.rules[0].platform == "p9"


def test_a_platform_of_the_same_name_elsewhere_is_never_replaced() -> None:
    here = known(platforms=(replace(PLATFORM, id=PlatformId("p9"), address="other"),), rules=())
    compared = compare(file_of(known()), here)
    assert compared.items[0].choices == (ItemChoice.RENAME, ItemChoice.SKIP)
    assert item(compared, ItemKind.RULE) is ItemState.REFUSED  # its platform is not taken in
    wish = decide(ItemKind.PLATFORM, "p1", ItemChoice.RENAME)
    renamed = compare(file_of(known()), here, [wish])
    assert [platform.name for platform in renamed.intake.platforms] == ["vCenter (2)"]
    assert renamed.intake.rules == (RULE,)


def test_a_replaced_rule_keeps_its_id_here() -> None:
    here = known(rules=(replace(RULE, id=RuleId("r9"), target_path="old"),))
    wish = decide(ItemKind.RULE, "r1", ItemChoice.REPLACE, "r9")
    assert compare(file_of(known()), here, [wish]).intake.rules == (replace(RULE, id=RuleId("r9")),)


def test_a_decision_about_something_else_than_what_is_here_is_outdated() -> None:
    here = known(rules=(replace(RULE, id=RuleId("r9"), target_path="old"),))
    wish = decide(ItemKind.RULE, "r1", ItemChoice.REPLACE, "r8")
    compared = compare(file_of(known()), here, [wish])
    assert (compared.outdated, compared.intake.rules) == ((wish,), ())


def test_a_decision_about_what_the_file_does_not_hold_is_unknown() -> None:
    wish = decide(ItemKind.RULE, "r7", ItemChoice.SKIP)
    assert compare(file_of(known()), Known(), [wish]).unknown == (wish,)


def test_a_rule_whose_vm_is_in_another_rule_is_refused_and_names_it() -> None:
    here = known(rules=(replace(RULE, id=RuleId("r9"), name="mine"),))
    compared = compare(file_of(known()), here)
    refused = next(one for one in compared.items if one.kind is ItemKind.RULE)
    assert (refused.state, "mine" in str(refused.problem)) == (ItemState.REFUSED, True)


def test_encryption_and_the_mark_of_a_standby_are_never_given_up() -> None:
    here = known(standbys=(replace(STANDBY, note="here", mark="m0", encryption=EncryptionMode.CONTENTS),))
    wish = decide(ItemKind.STANDBY, "s1", ItemChoice.REPLACE, "s1")
    (row,) = compare(file_of(known()), here, [wish]).intake.standbys
    assert row.standby == replace(STANDBY, mark="m0", encryption=EncryptionMode.CONTENTS)


def test_another_standby_at_the_same_path_is_refused() -> None:
    here = known(standbys=(replace(STANDBY, id=StandbyId("s9"), mark="m9", name="mine"),), rules=())
    assert item(compare(file_of(known()), here), ItemKind.STANDBY) is ItemState.REFUSED


def test_a_one_time_rule_that_has_run_is_imported_as_it_is() -> None:
    old = replace(RULE, policy=OneTimePolicy(start=datetime(2020, 1, 1, tzinfo=UTC)))
    assert compare(file_of(known(rules=(old,))), Known()).intake.rules == (old,)


def test_the_hooks_of_a_rule_come_with_it_and_are_named() -> None:
    hooks = Hooks(before=HookCommand(arguments=("/bin/flush", "all tables")))
    there = known(hooks=AllHooks(rules={RULE.id: hooks}))
    compared = compare(file_of(there), Known())
    rule = next(one for one in compared.items if one.kind is ItemKind.RULE)
    assert rule.commands == ('/bin/flush "all tables"',)
    assert msgspec.json.decode(compared.intake.documents["hooks"], type=AllHooks).rules == {RULE.id: hooks}


@pytest.mark.parametrize(
    "broken",
    [
        replace(PLATFORM, address=""),
        replace(PLATFORM, address="http://[x"),
        replace(PLATFORM, port=0),
        replace(PLATFORM, name=" "),
        replace(PLATFORM, id=PlatformId("../../x")),
    ],
)
def test_a_platform_that_cannot_work_is_refused_with_its_rules(broken: Platform) -> None:
    rule = replace(RULE, platform=broken.id)
    compared = compare(file_of(known(platforms=(broken,), rules=(rule,))), Known())
    assert (compared.intake.platforms, compared.intake.rules) == ((), ())
    assert item(compared, ItemKind.PLATFORM) is ItemState.REFUSED


@pytest.mark.parametrize(
    "broken",
    [
        replace(RULE, target_path="../../etc"),
        replace(RULE, target_path="C:/x"),
        replace(RULE, name=""),
        replace(RULE, name="x" * 65),
        replace(RULE, vms=()),
        replace(RULE, vms=RULE.vms * 2),
        replace(RULE, policy=PeriodicPolicy(plans=())),
        replace(RULE, id=RuleId("")),
        replace(RULE, standby=StandbyId("unknown")),
    ],
)
def test_a_rule_that_cannot_work_is_refused_alone(broken: BackupRule) -> None:
    compared = compare(file_of(known(rules=(broken,))), Known())
    assert compared.intake.rules == ()
    assert compared.intake.platforms == (PLATFORM,)
    assert item(compared, ItemKind.RULE) is ItemState.REFUSED


@pytest.mark.parametrize("path", ["", "relative/path", "\0"])
def test_a_standby_without_an_absolute_path_is_refused(path: str) -> None:
    there = known(standbys=(replace(STANDBY, root_path=path),))
    assert item(compare(file_of(there), Known()), ItemKind.STANDBY) is ItemState.REFUSED


def test_a_path_of_another_system_is_taken_in_to_be_changed_here() -> None:
    there = known(standbys=(replace(STANDBY, root_path="D:\\backup"),))
    assert compare(file_of(there), Known()).intake.standbys[0].standby.root_path == "D:\\backup"


def test_what_is_twice_in_the_file_is_taken_once() -> None:
    there = known(platforms=(PLATFORM, replace(PLATFORM, id=PlatformId("p2"), name="copy")))
    assert compare(file_of(there), Known()).intake.platforms == (PLATFORM,)


def test_notifications_that_cannot_work_are_refused() -> None:
    there = replace(known(), notifications=NotificationSettings(email=EmailSettings(enabled=True)))
    compared = compare(file_of(there), Known())
    assert item(compared, ItemKind.NOTIFICATIONS) is ItemState.REFUSED
    assert compared.intake.documents == {}
