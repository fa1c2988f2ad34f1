"""Whether a VM is the one on record: a table of situations, and what must hold in all of them."""

from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.identity import (
    Located,
    PresentVm,
    RecordedVm,
    Verdict,
    belongs,
    compare,
    locate,
    recorded_facts,
    recorded_protected,
    uncovered_disks,
    worth_a_look,
)
from app.domain.ids import PointId, VmId
from app.domain.platforms import PlatformIdentity
from app.domain.restore_point import PointDisk, RestorePoint, VmFacts
from app.domain.rules import ProtectedVm
from app.domain.states import BackupKind
from app.domain.vms import PowerState, VirtualDisk, VmDetails, VmSummary
from tests.support.said import said

HERE = PlatformIdentity(address="vc.test", instance_uuid="VC-1")
BY_IP = PlatformIdentity(address="192.0.2.7", instance_uuid="vc-1")
SET_UP_AGAIN = PlatformIdentity(address="vc.test", instance_uuid="vc-2")
OLDER = PlatformIdentity(address="vc.test")
DISKS = frozenset({"6000c29-a"})
RECORDED = RecordedVm(
    id=VmId("vm-7"),
    name="web",
    platform=HERE,
    instance_uuid="u-7",
    bios_uuid="b-7",
    folder=("prod",),
    disk_uuids=DISKS,
)


def vm(
    moid: str = "vm-7",
    name: str = "web",
    uuid: str | None = "u-7",
    bios: str | None = "b-7",
    folder: tuple[str, ...] = ("prod",),
    disks: frozenset[str] | None = DISKS,
) -> PresentVm:
    summary = VmSummary(
        id=VmId(moid),
        name=name,
        power_state=PowerState.ON,
        instance_uuid=uuid,
        bios_uuid=bios,
        guest="",
        hostname=None,
        host="esx1",
        datacenter="dc",
        folder=folder,
        datastores=(),
        disk_bytes=0,
        change_tracking_supported=True,
        change_tracking_enabled=True,
        snapshot_count=0,
        is_template=False,
    )
    return PresentVm(summary=summary, disk_uuids=disks)


OTHER_DISKS = frozenset({"6000c29-b"})
FACTS = VmFacts(
    vm=VmId("vm-7"),
    name="web",
    platform_address="vc.test",
    instance_uuid=None,
    datacenter="",
    datastore="",
    host="",
    hostname=None,
    guest="",
)
"""What a point of an earlier version says of its VM."""


@pytest.mark.parametrize(
    ("present", "platform", "verdict"),
    [
        (vm(), HERE, Verdict.SAME),
        (vm(name="web (renamed)"), HERE, Verdict.SAME),
        (vm(uuid="U-7", disks=frozenset({"6000C29-A"})), HERE, Verdict.SAME),
        (vm(name="web (renamed)", disks=OTHER_DISKS), HERE, Verdict.UNSURE),
        (vm(), BY_IP, Verdict.SAME),
        (vm(), SET_UP_AGAIN, Verdict.MOVED),
        (vm("vm-99"), HERE, Verdict.MOVED),
        (vm("vm-99", disks=None), HERE, Verdict.MOVED),
        (vm("vm-99", name="renamed"), HERE, Verdict.MOVED),
        (vm("vm-99", disks=OTHER_DISKS), HERE, Verdict.MOVED),
        (vm("vm-99", disks=OTHER_DISKS, folder=("test",)), HERE, Verdict.UNSURE),
        (vm("vm-99", bios="b-8"), HERE, Verdict.UNSURE),
        (vm("vm-99", name="web-copy", disks=None), HERE, Verdict.UNSURE),
        (vm("vm-99", name="web-copy", disks=OTHER_DISKS), HERE, Verdict.ANOTHER),
        (vm("vm-99", name="web-copy", bios="b-8", disks=None), HERE, Verdict.ANOTHER),
        (vm(name="db", uuid="u-8", bios="b-8", disks=OTHER_DISKS), HERE, Verdict.ANOTHER),
        (vm(name="db", uuid="u-8"), HERE, Verdict.ANOTHER),
        (vm(uuid="u-8", disks=OTHER_DISKS), HERE, Verdict.ANOTHER),
        (vm(uuid="u-8"), HERE, Verdict.UNSURE),
        (vm(uuid="u-8", disks=None), HERE, Verdict.ANOTHER),
        (vm(uuid="u-8"), SET_UP_AGAIN, Verdict.ANOTHER),
        (vm(uuid=None), HERE, Verdict.SAME),
        (vm(uuid=None, bios=None, disks=None), HERE, Verdict.UNSURE),
        (vm(name="db", uuid=None, bios=None, disks=None), HERE, Verdict.UNSURE),
        (vm("vm-99", uuid=None, bios=None, disks=None), HERE, Verdict.ANOTHER),
        (vm("vm-99", uuid=None, bios=None), HERE, Verdict.UNSURE),
        (vm("vm-99", name="db", uuid="u-8", bios="b-8", disks=OTHER_DISKS), HERE, Verdict.ANOTHER),
    ],
)
def test_a_vm_is_judged_by_what_agrees_together(
    present: PresentVm, platform: PlatformIdentity, verdict: Verdict
) -> None:
    assert compare(RECORDED, present, platform) is verdict


def located(*inventory: PresentVm, recorded: RecordedVm = RECORDED, on: PlatformIdentity = HERE) -> Located:
    return locate(recorded, inventory, on)


def test_a_copy_alone_is_never_the_original() -> None:
    for copy in (vm("vm-8", name="web-copy", disks=None), vm("vm-8", name="web-copy", disks=OTHER_DISKS)):
        found = located(copy)
        assert found.verdict in (Verdict.UNSURE, Verdict.ANOTHER)
        assert not found.is_proven
    assert located(vm("vm-8", name="web-copy", disks=OTHER_DISKS)).vm == vm("vm-8", name="web-copy").summary


def test_a_copy_next_to_the_original_that_was_registered_again_makes_it_unsure() -> None:
    copy, original = vm("vm-8", name="web-copy", disks=OTHER_DISKS), vm("vm-99")
    for inventory in ((copy, original), (original, copy)):
        found = located(*inventory)
        assert (found.verdict, found.is_proven) == (Verdict.UNSURE, False)
        assert original.summary in found.candidates


def test_a_copy_that_inherited_the_id_is_not_taken_for_the_original() -> None:
    copy, original = vm(name="web-copy", disks=OTHER_DISKS), vm("vm-99")
    assert located(copy, original).verdict is Verdict.UNSURE
    assert located(vm(name="web-copy", disks=None), original).verdict is Verdict.UNSURE


def test_a_copy_next_to_the_original_does_not_disturb_it() -> None:
    assert located(vm("vm-8", name="web-copy", disks=OTHER_DISKS), vm()) == Located(
        verdict=Verdict.SAME, vm=vm().summary, is_proven=True
    )


def test_a_vm_that_was_registered_again_is_proven_by_its_name_and_disks() -> None:
    assert located(vm("vm-99"), vm("vm-1", "db", "u-1", "b-1", disks=OTHER_DISKS)).is_proven
    for weaker in (vm("vm-99", disks=None), vm("vm-99", name="renamed"), vm("vm-99", disks=OTHER_DISKS)):
        found = located(weaker)
        assert (found.verdict, found.is_proven) == (Verdict.MOVED, False)


def test_it_is_found_although_another_vm_inherited_its_id() -> None:
    stranger = vm(name="db", uuid="u-8", bios="b-8", disks=OTHER_DISKS)
    found = located(stranger, vm("vm-99"))
    assert (found.verdict, found.vm) == (Verdict.MOVED, vm("vm-99").summary)
    assert located(stranger) == Located(verdict=Verdict.ANOTHER, vm=stranger.summary)
    assert located(stranger, on=SET_UP_AGAIN).verdict is Verdict.GONE, "the id proves nothing there"


def test_a_name_alone_is_nothing() -> None:
    assert located(vm("vm-99", uuid="u-8", bios="b-8", disks=OTHER_DISKS)).verdict is Verdict.GONE
    assert located().verdict is Verdict.GONE


def test_an_old_point_is_judged_by_what_it_has() -> None:
    assert located(vm(disks=None), recorded=recorded_facts(FACTS)).verdict is Verdict.UNSURE
    assert located(vm(), recorded=recorded_facts(FACTS, DISKS)).verdict is Verdict.SAME
    assert located(vm(), recorded=replace(RECORDED, platform=OLDER)).is_proven


def test_a_platform_is_known_by_its_uuid_and_by_its_address_only_without_one() -> None:
    assert HERE.is_same(BY_IP)
    assert not HERE.is_same(SET_UP_AGAIN)
    assert HERE.is_same(OLDER)
    assert not BY_IP.is_same(OLDER)


def test_points_under_an_id_of_another_vm_are_not_ones_of_this_vm() -> None:
    protected = ProtectedVm(vm=VmId("vm-7"), name="web", instance_uuid="u-7")
    facts = replace(FACTS, name="db", platform_address="", instance_uuid="u-8")
    assert not belongs(facts, protected)
    assert belongs(replace(facts, name="web"), protected)
    assert belongs(replace(facts, instance_uuid="U-7"), protected)
    assert belongs(facts, replace(protected, instance_uuid=None))
    assert recorded_protected(protected, PlatformIdentity(address="vc.test")).instance_uuid == "u-7"


uuids = st.sampled_from([None, "u-7", "u-8"])
presents = st.builds(
    vm,
    st.sampled_from(["vm-7", "vm-8", "vm-9"]),
    st.sampled_from(["web", "db"]),
    uuids,
    st.sampled_from([None, "b-7", "b-8"]),
    st.sampled_from([("prod",), ("test",)]),
    st.sampled_from([None, frozenset[str](), DISKS, OTHER_DISKS]),
)
records = st.builds(
    replace,
    st.just(RECORDED),
    instance_uuid=uuids,
    bios_uuid=st.sampled_from([None, "b-7"]),
    disk_uuids=st.sampled_from([frozenset[str](), DISKS]),
    platform=st.sampled_from([HERE, OLDER]),
)
inventories = st.lists(presents, max_size=4, unique_by=lambda present: present.summary.id)
platforms = st.sampled_from([HERE, BY_IP, SET_UP_AGAIN, OLDER])


PROOFS = ({"uuid", "id"}, {"uuid", "name", "disks"}, {"id", "name", "disks"})


def agreeing(recorded: RecordedVm, present: PresentVm, on: PlatformIdentity) -> set[str]:
    found = set()
    if recorded.platform.is_same(on) and present.summary.id == recorded.id:
        found.add("id")
    if recorded.instance_uuid and recorded.instance_uuid == present.summary.instance_uuid:
        found.add("uuid")
    if recorded.bios_uuid and recorded.bios_uuid == present.summary.bios_uuid:
        found.add("bios")
    if recorded.name == present.summary.name:
        found.add("name")
    if present.disk_uuids and recorded.disk_uuids & present.disk_uuids:
        found.add("disks")
    return found


@given(records, inventories, platforms)
def test_no_single_key_ever_proves_anything(
    recorded: RecordedVm, inventory: list[PresentVm], on: PlatformIdentity
) -> None:
    found = locate(recorded, inventory, on)
    if found.verdict in (Verdict.SAME, Verdict.MOVED):
        assert found.vm is not None
        chosen = next(present for present in inventory if present.summary == found.vm)
        keys = agreeing(recorded, chosen, on)
        assert len(keys) >= 2
        if found.is_proven:
            assert any(proof <= keys for proof in PROOFS)


@given(records, inventories, platforms)
def test_under_another_id_a_shared_uuid_is_never_followed(
    recorded: RecordedVm, inventory: list[PresentVm], on: PlatformIdentity
) -> None:
    found = locate(recorded, inventory, on)
    if found.verdict is Verdict.MOVED:
        assert sum("uuid" in agreeing(recorded, present, on) for present in inventory) == 1


@given(records, inventories, platforms, st.randoms())
def test_the_order_of_the_inventory_does_not_matter(
    recorded: RecordedVm, inventory: list[PresentVm], on: PlatformIdentity, chance: Random
) -> None:
    first = locate(recorded, inventory, on)
    chance.shuffle(inventory)
    again = locate(recorded, inventory, on)
    assert (first.verdict, first.is_proven, set(first.candidates)) == (
        again.verdict,
        again.is_proven,
        set(again.candidates),
    )


@given(records, inventories, platforms)
def test_only_vms_that_share_a_key_are_looked_at_closely(
    recorded: RecordedVm, inventory: list[PresentVm], on: PlatformIdentity
) -> None:
    kept = [present for present in inventory if worth_a_look(recorded, present.summary)]
    assert locate(recorded, kept, on).verdict is locate(recorded, inventory, on).verdict or any(
        agreeing(recorded, present, on) == {"disks"} for present in inventory
    )


# --- disks that no point holds -----------------------------------------------------------------------------------


def disk(key: int, uuid: str | None, *, capacity_bytes: int = 1024, reason: str | None = None) -> VirtualDisk:
    return VirtualDisk(
        key=key,
        label=f"disk {key}",
        uuid=uuid,
        capacity_bytes=capacity_bytes,
        path="",
        thin=True,
        unsupported_reason=said(reason) if reason else None,
    )


def point(*disks: tuple[int, str | None]) -> RestorePoint:
    return RestorePoint(
        id=PointId("c/p"),
        chain="c",
        rule_name="r",
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        kind=BackupKind.FULL,
        parent=None,
        facts=replace(FACTS, instance_uuid="u-7"),
        disks=tuple(
            PointDisk(
                key=key,
                label="",
                uuid=uuid,
                capacity_bytes=1024,
                path="",
                change_id=None,
                root="",
                read_bytes=0,
                stored_bytes=0,
                read_whole=True,
            )
            for key, uuid in disks
        ),
        configuration_files=(),
        consistent=True,
        tool_version="",
    )


def uncovered(held: RestorePoint, *disks: VirtualDisk, moid: str = "vm-7") -> list[int]:
    details = VmDetails(summary=vm(moid).summary, disks=disks, snapshots=())
    return [disk.key for disk in uncovered_disks(held, details)]


def test_left_out_added_and_exchanged_disks_are_in_no_point() -> None:
    held = point((2000, "a"), (2001, "b"))
    assert uncovered(held, disk(2000, "A"), disk(2001, "b")) == []
    assert uncovered(held, disk(2000, "a"), disk(2001, "b", reason="independent")) == [2001]
    assert uncovered(held, disk(2000, "a"), disk(2002, "c")) == [2002], "added after the point"
    assert uncovered(held, disk(2000, "a"), disk(2001, "c")) == [2001], "another disk in its place"
    assert uncovered(held, disk(2000, "b"), disk(2003, "a")) == [], "moved to other slots"
    assert uncovered(point((2000, "a")), disk(2000, "b")) == [2000]


def test_a_vm_that_was_created_again_is_known_by_key_and_capacity() -> None:
    held = point((2000, "a"))
    assert uncovered(held, disk(2000, "n"), moid="vm-9") == []
    assert uncovered(held, disk(2000, "n"), disk(2001, "m"), moid="vm-9") == [2001]
    assert uncovered(held, disk(2000, None)) == []
    assert uncovered(held, disk(2000, None, capacity_bytes=512)) == [2000]


def test_a_copied_disk_is_not_held_by_the_uuid_of_its_original() -> None:
    held = point((2000, "a"), (2001, "b"))
    assert uncovered(held, disk(2000, "a"), disk(2001, "b"), disk(2002, "A")) == [2002]
    assert uncovered(held, disk(1999, "a"), disk(2000, "a"), disk(2001, "b")) == [1999], "the one in its place is"
    assert uncovered(held, disk(2000, "a", reason="independent"), disk(2005, "a")) == [2000]
