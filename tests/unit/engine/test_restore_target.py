"""Where a restore goes, decided from values alone."""

from dataclasses import replace

import pytest

from app.contract.restore import ConfirmedVm, NewVm, OverOriginal
from app.domain.identity import Located, PresentVm, locate, recorded_facts
from app.domain.ids import PlatformId, TaskId, VmId
from app.domain.platforms import Platform, PlatformIdentity
from app.domain.restore_point import VmFacts
from app.domain.vms import PowerState, VmPlacement, VmSummary
from app.engine.errors import OriginalChanged, OriginalIsAnother, OriginalUnsure, RequestRefused, VmNameTaken
from app.engine.restore.original import original_among
from app.engine.restore.target import LONGEST_NAME, marked_name, new_target, target_over

HERE = Platform(id=PlatformId("p"), name="main", address="vc.test", port=443, user="u", thumbprint_sha256=None)
ELSEWHERE = replace(HERE, address="other.test")
DISKS = frozenset({"6000c29-7"})
TASK = TaskId("12345678-aaaa")
FACTS = VmFacts(
    vm=VmId("vm-7"),
    name="web",
    platform_address="vc.test",
    instance_uuid="uuid-7",
    datacenter="dc1",
    datastore="ds1",
    host="esx1",
    hostname=None,
    guest="Debian",
)
ORIGINAL = VmSummary(
    id=VmId("vm-7"),
    name="web (renamed since)",
    power_state=PowerState.ON,
    instance_uuid="uuid-7",
    bios_uuid=None,
    guest="Debian",
    hostname=None,
    host="esx2",
    datacenter="dc1",
    folder=("prod", "web"),
    datastores=("ds1",),
    disk_bytes=0,
    change_tracking_supported=True,
    change_tracking_enabled=True,
    snapshot_count=0,
    is_template=False,
)


def found_by(*vms: PresentVm | VmSummary, facts: VmFacts = FACTS, platform: Platform = HERE) -> Located:
    inventory = [vm if isinstance(vm, PresentVm) else PresentVm(summary=vm) for vm in vms]
    return locate(recorded_facts(facts, DISKS), inventory, PlatformIdentity(address=platform.address))


def original_in(found: Located) -> VmSummary | None:
    return original_among(found, FACTS.name, HERE.address, FACTS.instance_uuid)


def test_the_original_is_known_by_its_name_uuid_and_disks_even_under_another_id() -> None:
    registered_again = replace(ORIGINAL, id=VmId("vm-99"), name="web")
    impostor = replace(ORIGINAL, instance_uuid="uuid-of-another")
    found = found_by(PresentVm(summary=impostor), PresentVm(summary=registered_again, disk_uuids=DISKS))
    target = target_over(OverOriginal(), FACTS, [impostor, registered_again], HERE, TASK, found)
    assert target.replaced == registered_again
    assert original_in(found_by(impostor)) is None


def test_a_copy_with_the_uuid_of_the_original_is_never_replaced() -> None:
    copy = replace(ORIGINAL, id=VmId("vm-8"), name="web-copy")
    registered_again = replace(ORIGINAL, id=VmId("vm-99"), name="web")
    for inventory in ([copy], [copy, registered_again], [registered_again, copy]):
        with pytest.raises(OriginalUnsure) as refused:
            original_in(found_by(*inventory))
        assert "web-copy (vm-8)" in refused.value.message
    others = PresentVm(summary=copy, disk_uuids=frozenset({"other"}))
    with pytest.raises(OriginalIsAnother, match="web-copy"):
        target_over(OverOriginal(), FACTS, [copy], HERE, TASK, found_by(others))


def test_what_cannot_be_told_is_replaced_where_the_operator_confirmed_that_very_vm() -> None:
    copy = replace(ORIGINAL, id=VmId("vm-8"), name="web-copy")

    def wish(vm: str, uuid: str | None) -> OverOriginal:
        return OverOriginal(confirmed=ConfirmedVm(vm=VmId(vm), name="web-copy", instance_uuid=uuid))

    assert target_over(wish("vm-8", "uuid-7"), FACTS, [copy], HERE, TASK, found_by(copy)).replaced == copy
    for vm, uuid in (("vm-8", "other"), ("vm-9", "uuid-7"), ("vm-8", None)):
        with pytest.raises(OriginalChanged):
            target_over(wish(vm, uuid), FACTS, [copy], HERE, TASK, found_by(copy))
    with pytest.raises(OriginalChanged):
        target_over(wish("vm-8", "uuid-7"), FACTS, [ORIGINAL], HERE, TASK, found_by(ORIGINAL))


def test_of_two_vms_with_one_uuid_the_one_with_the_id_is_the_original() -> None:
    twin = replace(ORIGINAL, id=VmId("vm-8"))
    assert original_in(found_by(twin, ORIGINAL)) == ORIGINAL


def test_an_id_counts_only_on_the_platform_it_came_from_and_without_uuids() -> None:
    plain = replace(ORIGINAL, instance_uuid=None)
    for facts, vm in ((FACTS, plain), (replace(FACTS, instance_uuid=None), ORIGINAL)):
        with pytest.raises(OriginalUnsure):  # an id alone proves nothing
            original_among(found_by(vm, facts=facts), facts.name, HERE.address, facts.instance_uuid)
    with_disks = PresentVm(summary=replace(plain, name="web"), disk_uuids=DISKS)
    target = target_over(OverOriginal(), FACTS, [with_disks.summary], HERE, TASK, found_by(with_disks))
    assert target.replaced == with_disks.summary
    assert original_in(found_by(plain, platform=ELSEWHERE)) is None


def test_over_the_original_the_new_vm_lies_beside_it_under_another_name_until_the_end() -> None:
    target = target_over(OverOriginal(datastore="ds9"), FACTS, [ORIGINAL], HERE, TASK, found_by(ORIGINAL))
    assert target.replaced == ORIGINAL
    assert target.name == ORIGINAL.name
    assert target.placement.name == "web (renamed since)-standfast-12345678"
    assert target.kept_name == "web (renamed since)-replaced-12345678"
    assert (target.placement.folder, target.placement.host) == (("prod", "web"), "esx2")
    assert target.placement.datastore == "ds9"
    assert target.placement.keep_identity


def test_without_the_original_it_is_created_again_unless_its_name_is_taken() -> None:
    target = target_over(OverOriginal(), FACTS, [], HERE, TASK, found_by())
    assert (target.replaced, target.name, target.placement.keep_identity) == (None, "web", True)
    other = replace(ORIGINAL, instance_uuid="x", name="web")
    with pytest.raises(VmNameTaken):
        target_over(OverOriginal(), FACTS, [other], HERE, TASK, found_by(other))


def test_a_new_vm_goes_where_it_is_told() -> None:
    wish = NewVm(placement=VmPlacement(name="copy", host="esx3"))
    target = new_target(wish, FACTS, [ORIGINAL], HERE)
    assert (target.placement, target.name, target.replaced) == (wish.placement, "copy", None)


@pytest.mark.parametrize("name", ["", "   ", "n" * (LONGEST_NAME + 1)])
def test_a_name_no_platform_takes_is_refused(name: str) -> None:
    with pytest.raises(RequestRefused):
        new_target(NewVm(placement=VmPlacement(name=name)), FACTS, [], HERE)


def test_a_marked_name_keeps_its_mark_however_long_the_name_is() -> None:
    marked = marked_name("虚" * 200, "standfast", TASK)
    assert len(marked) == LONGEST_NAME
    assert marked.endswith("-standfast-12345678")


ELSEWHERE_IN_DC = replace(ORIGINAL, id=VmId("vm-8"), instance_uuid="x", name="copy", folder=("other",))


def test_a_name_counts_only_in_the_folder_that_the_vm_goes_to() -> None:
    facts = replace(FACTS, folder=("prod", "web"))
    wish = NewVm(placement=VmPlacement(name="copy"))
    assert new_target(wish, facts, [ELSEWHERE_IN_DC], HERE).name == "copy"
    for taken in (
        NewVm(placement=VmPlacement(name="copy", folder=("other",))),
        NewVm(placement=VmPlacement(name="copy", folder=("other",), datacenter="dc1")),
    ):
        with pytest.raises(VmNameTaken):
            new_target(taken, facts, [ELSEWHERE_IN_DC], HERE)


def test_a_folder_of_one_name_in_another_datacenter_is_another_folder() -> None:
    other = replace(ELSEWHERE_IN_DC, datacenter_id="datacenter-2", datacenter_path="B/dc1")
    wish = NewVm(placement=VmPlacement(name="copy", folder=("other",), datacenter="datacenter-1"))
    assert new_target(wish, FACTS, [other], HERE).name == "copy"


def test_without_the_original_only_its_own_folder_counts() -> None:
    facts = replace(FACTS, folder=("prod", "web"))
    namesake = replace(ELSEWHERE_IN_DC, name="web")
    target = target_over(OverOriginal(), facts, [namesake], HERE, TASK, found_by(namesake, facts=facts))
    assert (target.replaced, target.name) == (None, "web")
    assert target.placement.folder is None  # the saved VM's own
    in_its_folder = replace(namesake, folder=("prod", "web"))
    with pytest.raises(VmNameTaken):
        target_over(OverOriginal(), facts, [in_its_folder], HERE, TASK, found_by(in_its_folder, facts=facts))


def test_over_the_original_its_datacenter_folder_and_host_are_known_by_id() -> None:
    original = replace(ORIGINAL, datacenter_id="datacenter-2", folder_id="group-v7", host_id="host-3")
    placement = target_over(OverOriginal(), FACTS, [original], HERE, TASK, found_by(original)).placement
    assert (placement.datacenter, placement.folder_id, placement.host) == ("datacenter-2", "group-v7", "host-3")
