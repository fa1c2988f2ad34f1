"""Where a VM is created: what was asked for, else what it came from, else the only one there is."""

from dataclasses import replace
from typing import Any

import pytest

from app.domain.vms import VmPlacement
from app.vsphere.offer import Datacenter, Host, PlatformOffer, VApp
from app.vsphere.placement import NoPlace, Origin, choose_host, choose_place

ORIGIN = Origin(
    datacenter="Shanghai",
    folder=("Production", "Web"),
    host="esx02",
    resource_pool="Gold",
    datastore="ds1",
    disk_datastores={2000: "ds1", 2001: "ds2"},
)


def host(name: str, *datastores: str, datacenter: str = "Shanghai", **more: Any) -> Host:
    plain = Host(
        moid=f"host-{name}",
        name=name,
        datacenter=datacenter,
        root_pool=f"pool-{name}",
        pools={"Resources": f"pool-{name}", "Gold": f"gold-{name}"},
        datastores=frozenset(datastores),
        networks={},
    )
    return replace(plain, **more)


SITE = PlatformOffer(
    hosts=(host("esx01", "ds1", "ds2"), host("esx02", "ds1", "ds2"), host("esx03", "ds3")),
    folders={"Shanghai": {(): "root", ("Production",): "prod", ("Production", "Web"): "web"}},
)


def test_vm_goes_back_to_where_it_came_from() -> None:
    place = choose_place(SITE, ORIGIN, VmPlacement(name="web-01", folder=ORIGIN.folder))
    assert place.host.name == "esx02"
    assert (place.folder, place.pool, place.datastore) == ("web", "gold-esx02", "ds1")
    assert place.disk_datastores == {2000: "ds1", 2001: "ds2"}
    assert place.warnings == ()


def test_host_that_is_gone_is_replaced_by_one_with_the_datastores() -> None:
    offer = replace(SITE, hosts=(host("esx07", "ds1"), host("esx08", "ds1", "ds2")))
    assert choose_place(offer, ORIGIN, VmPlacement(name="web-01")).host.name == "esx08"


def test_wanted_host_and_datastore_are_taken() -> None:
    place = choose_place(SITE, ORIGIN, VmPlacement(name="web-01", host="esx03", datastore="ds3"))
    assert (place.host.name, place.datastore) == ("esx03", "ds3")
    assert place.disk_datastores == {2000: "ds3", 2001: "ds3"}


def test_wanted_datastore_chooses_a_host_that_has_it() -> None:
    assert choose_place(SITE, ORIGIN, VmPlacement(name="web-01", datastore="ds3")).host.name == "esx03"


def test_host_is_chosen_for_a_datastore_that_is_not_there_yet() -> None:
    wanted = VmPlacement(name="web-01", datastore="to come", disk_datastores=((2000, "to come"),))
    place = choose_host(SITE, ORIGIN, wanted)
    assert (place.host.name, place.pool, place.datastore) == ("esx02", "gold-esx02", "")
    bare = Origin(datacenter="", folder=(), host="", resource_pool="", datastore="", disk_datastores={})
    place = choose_host(SITE, bare, replace(wanted, host="host-esx03"))
    assert (place.host.name, place.folder, place.pool) == ("esx03", "root", "pool-esx03")


def test_single_disks_may_lie_elsewhere() -> None:
    wanted = VmPlacement(name="web-01", datastore="ds1", disk_datastores=((2001, "ds2"),))
    assert choose_place(SITE, ORIGIN, wanted).disk_datastores == {2000: "ds1", 2001: "ds2"}


def test_disk_whose_datastore_is_gone_is_placed_with_the_vm_and_that_is_said() -> None:
    offer = replace(SITE, hosts=(host("esx01", "ds1", "ds9"),))
    place = choose_place(offer, ORIGIN, VmPlacement(name="web-01"))
    assert place.disk_datastores == {2000: "ds1", 2001: "ds1"}
    assert any("ds2" in warning for warning in map(str, place.warnings))


def test_missing_folder_is_replaced_by_the_nearest_above_and_that_is_said() -> None:
    place = choose_place(SITE, ORIGIN, VmPlacement(name="web-01", folder=("Production", "Gone", "Deeper")))
    assert place.folder == "prod"
    assert any("Production/Gone/Deeper" in warning for warning in map(str, place.warnings))


def test_missing_pool_is_replaced_by_the_root_and_that_is_said() -> None:
    place = choose_place(SITE, replace(ORIGIN, resource_pool="Silver"), VmPlacement(name="web-01"))
    assert place.pool == "pool-esx02"
    assert any("Silver" in warning for warning in map(str, place.warnings))


def test_only_datacenter_of_another_platform_is_taken() -> None:
    offer = PlatformOffer(
        hosts=(host("esx", "ds1", "ds2", datacenter="Beijing"),), folders={"Beijing": {(): "root"}}
    )
    assert choose_place(offer, ORIGIN, VmPlacement(name="web-01")).host.datacenter == "Beijing"


def test_only_datastore_of_a_host_is_taken() -> None:
    offer = replace(SITE, hosts=(host("esx03", "ds3"),))
    assert choose_place(offer, ORIGIN, VmPlacement(name="web-01")).datastore == "ds3"


def test_wanted_host_names_its_datacenter() -> None:
    offer = PlatformOffer(
        hosts=(*SITE.hosts, host("esx99", "ds1", datacenter="Beijing")),
        folders={**SITE.folders, "Beijing": {(): "bj"}},
    )
    assert choose_place(offer, ORIGIN, VmPlacement(name="web-01", host="esx99")).folder == "bj"


@pytest.mark.parametrize(
    ("offer", "wanted", "reason"),
    [
        (SITE, VmPlacement(name="x", datacenter="Atlantis"), "no datacenter Atlantis"),
        (SITE, VmPlacement(name="x", host="esx99"), "esx99 is not connected"),
        (SITE, VmPlacement(name="x", datacenter="Shanghai", host="esx99"), "esx99 is not connected"),
        (SITE, VmPlacement(name="x", datastore="ds9"), "has the datastore ds9"),
        (SITE, VmPlacement(name="x", host="esx03", datastore="ds1"), "has the datastore ds1"),
        (SITE, VmPlacement(name="x", disk_datastores=((2000, "ds9"),)), "has the datastore ds9"),
        (replace(SITE, hosts=()), VmPlacement(name="x"), "no host of Shanghai"),
        (replace(SITE, hosts=(host("e", "a", "b"),)), VmPlacement(name="x"), "choose a datastore"),
        (PlatformOffer(hosts=(), folders={"A": {}, "B": {}}), VmPlacement(name="x"), "choose a datacenter"),
    ],
)
def test_what_is_not_there_or_not_clear_is_refused(offer: PlatformOffer, wanted: VmPlacement, reason: str) -> None:
    with pytest.raises(NoPlace, match=reason):
        choose_place(offer, ORIGIN, wanted)


# ---- names that several have ------------------------------------------------------------------------------------


def twins() -> PlatformOffer:
    """Two datacenters of one name, each with a host that has a local datastore of one name."""
    return PlatformOffer(
        hosts=(
            replace(
                host("esx-a", "datastore1", datacenter="datacenter-1"), datastore_ids={"datastore-1": "datastore1"}
            ),
            replace(
                host("esx-b", "datastore1", datacenter="datacenter-2"), datastore_ids={"datastore-2": "datastore1"}
            ),
        ),
        folders={
            "datacenter-1": {(): "root-a", ("Web",): "web-a"},
            "datacenter-2": {(): "root-b", ("Web",): "web-b"},
        },
        datacenters={
            "datacenter-1": Datacenter(moid="datacenter-1", name="Shanghai", path="A/Shanghai"),
            "datacenter-2": Datacenter(moid="datacenter-2", name="Shanghai", path="B/Shanghai"),
        },
    )


OF_B = Origin(
    datacenter="Shanghai",
    folder=("Web",),
    host="esx-gone",
    resource_pool="",
    datastore="datastore1",
    disk_datastores={2000: "datastore1"},
)


def test_datacenter_of_two_with_one_name_is_known_by_its_id() -> None:
    origin = replace(OF_B, datacenter_id="datacenter-2", same_platform=True)
    place = choose_place(twins(), origin, VmPlacement(name="web"))
    assert (place.folder, place.host.name) == ("web-b", "esx-b")


def test_datacenter_of_two_with_one_name_is_known_by_its_path() -> None:
    origin = replace(OF_B, datacenter_path="B/Shanghai", same_platform=False)
    assert choose_place(twins(), origin, VmPlacement(name="web")).folder == "web-b"


def test_datacenter_of_two_with_one_name_is_known_by_the_vms_host() -> None:
    place = choose_place(twins(), replace(OF_B, host="esx-b"), VmPlacement(name="web"))
    assert (place.folder, place.host.name) == ("web-b", "esx-b")


def test_datacenters_that_cannot_be_distinguished_are_named_and_none_is_taken() -> None:
    with pytest.raises(NoPlace, match=r"A/Shanghai \(datacenter-1\), B/Shanghai \(datacenter-2\)"):
        choose_place(twins(), OF_B, VmPlacement(name="web"))


@pytest.mark.parametrize("text", ["datacenter-2", "B/Shanghai"])
def test_datacenter_can_be_asked_for_by_id_or_path(text: str) -> None:
    assert choose_place(twins(), OF_B, VmPlacement(name="web", datacenter=text)).folder == "web-b"


def test_name_of_two_datacenters_is_no_answer() -> None:
    with pytest.raises(NoPlace, match="choose one by its path"):
        choose_place(twins(), OF_B, VmPlacement(name="web", datacenter="Shanghai"))


def test_datastore_asked_for_by_id_decides_the_datacenter() -> None:
    place = choose_place(twins(), OF_B, VmPlacement(name="web", datastore="datastore-2"))
    assert (place.host.name, place.datastore, place.disk_datastores) == (
        "esx-b",
        "datastore1",
        {2000: "datastore1"},
    )


def test_datastore_of_another_datacenter_is_not_taken_for_the_vms_own() -> None:
    origin = replace(OF_B, datastore_ids={"datastore1": "datastore-1"}, same_platform=True)
    offer = twins()
    two = replace(offer.hosts[1], datastores=frozenset({"datastore1", "fast"}))
    wanted = VmPlacement(name="web", datacenter="datacenter-2")
    with pytest.raises(NoPlace, match="the one here is another"):
        choose_place(replace(offer, hosts=(offer.hosts[0], two)), origin, wanted)


def test_renamed_datastore_is_known_by_its_id() -> None:
    here = host("esx02", "fast", "other", datastore_ids={"datastore-1": "fast", "datastore-2": "other"})
    origin = replace(
        ORIGIN, datastore_ids={"ds1": "datastore-1", "ds2": "datastore-2"}, resource_pool="", same_platform=True
    )
    place = choose_place(replace(SITE, hosts=(here,)), origin, VmPlacement(name="web"))
    assert (place.datastore, place.disk_datastores) == ("fast", {2000: "fast", 2001: "other"})


def test_ids_of_another_platform_count_for_nothing() -> None:
    here = host("esx02", "ds1", "other", datastore_ids={"datastore-9": "ds1", "datastore-1": "other"})
    origin = replace(ORIGIN, datastore_ids={"ds1": "datastore-1"}, same_platform=False)
    assert choose_place(replace(SITE, hosts=(here,)), origin, VmPlacement(name="web")).datastore == "ds1"


def test_ids_of_an_unknown_platform_count_where_the_name_agrees() -> None:
    here = host("esx02", "ds1", "other", datastore_ids={"datastore-9": "ds1", "datastore-1": "other"})
    origin = replace(ORIGIN, datastore_ids={"ds1": "datastore-1"})
    assert choose_place(replace(SITE, hosts=(here,)), origin, VmPlacement(name="web")).datastore == "ds1"


def test_vm_comes_back_to_its_folder_automatically() -> None:
    assert choose_place(SITE, ORIGIN, VmPlacement(name="web")).folder == "web"


def test_renamed_folder_is_known_by_its_id() -> None:
    origin = replace(ORIGIN, folder=("Production", "Old name"), folder_id="web", same_platform=True)
    place = choose_place(SITE, origin, VmPlacement(name="web"))
    assert (place.folder, place.folder_path, place.warnings) == ("web", ("Production", "Web"), ())


def test_folder_that_is_gone_is_said_and_the_datacenters_own_is_taken() -> None:
    place = choose_place(SITE, replace(ORIGIN, folder=("Gone",)), VmPlacement(name="web"))
    assert place.folder == "root"
    assert any("Gone" in warning for warning in map(str, place.warnings))


def test_folder_can_be_the_datacenters_own_by_choice() -> None:
    assert choose_place(SITE, ORIGIN, VmPlacement(name="web", folder=())).folder == "root"


def test_pool_of_several_with_one_name_is_known_by_its_id_or_path() -> None:
    pools = {"A/Gold": "pool-1", "B/Gold": "pool-2"}
    offer = replace(SITE, hosts=(replace(SITE.hosts[1], pools=pools),))
    by_id = replace(ORIGIN, resource_pool_id="pool-2", same_platform=True)
    assert choose_place(offer, by_id, VmPlacement(name="web")).pool == "pool-2"
    by_path = replace(ORIGIN, resource_pool_path="B/Gold", same_platform=False)
    assert choose_place(offer, by_path, VmPlacement(name="web")).pool == "pool-2"
    place = choose_place(offer, ORIGIN, VmPlacement(name="web"))
    assert place.pool == "pool-esx02"
    assert any("A/Gold, B/Gold" in warning for warning in map(str, place.warnings))


SHOP = VApp(moid="v-1", name="Shop")
WITH_VAPPS = replace(
    SITE,
    hosts=(
        replace(
            SITE.hosts[1],
            pools={"A/Shop": "v-1", "A/Shop/Gold": "pool-3", "B/Shop": "v-2"},
            vapps={"v-1": SHOP, "pool-3": SHOP, "v-2": VApp(moid="v-2", name="Shop")},
        ),
    ),
)
OF_SHOP = replace(
    ORIGIN, folder=("Production", "Shop"), resource_pool="Shop", resource_pool_id="v-1", same_platform=True
)


def test_vm_of_a_vapp_goes_into_it_and_misses_no_folder() -> None:
    place = choose_place(WITH_VAPPS, OF_SHOP, VmPlacement(name="web"))
    assert (place.pool, place.vapp, place.folder_path, place.warnings) == ("v-1", SHOP, ("Shop",), ())
    inside = replace(OF_SHOP, resource_pool="Gold", resource_pool_id="pool-3")
    assert choose_place(WITH_VAPPS, inside, VmPlacement(name="web")).vapp == SHOP
    by_path = replace(OF_SHOP, resource_pool_id="gone", resource_pool_path="B/Shop")
    assert choose_place(WITH_VAPPS, by_path, VmPlacement(name="web")).pool == "v-2"


def test_vapp_of_a_name_that_two_have_is_not_guessed() -> None:
    place = choose_place(WITH_VAPPS, replace(OF_SHOP, resource_pool_id="gone"), VmPlacement(name="web"))
    assert (place.pool, place.vapp, place.folder) == ("pool-esx02", None, "prod")
    assert any("A/Shop, B/Shop" in warning for warning in map(str, place.warnings))


def test_folder_that_was_asked_for_goes_before_the_vapp_and_that_is_said() -> None:
    place = choose_place(WITH_VAPPS, OF_SHOP, VmPlacement(name="web", folder_id="web"))
    assert (place.pool, place.vapp, place.folder) == ("pool-esx02", None, "web")
    assert any("was in the vApp Shop" in warning for warning in map(str, place.warnings))


def test_vapp_that_was_asked_for_goes_before_everything() -> None:
    wanted = VmPlacement(name="web", vapp_id="v-2", folder=("Production",))
    assert choose_place(WITH_VAPPS, OF_SHOP, wanted).pool == "v-2"
    inside = replace(OF_SHOP, resource_pool="Gold", resource_pool_id="pool-3")
    assert choose_place(WITH_VAPPS, inside, replace(wanted, vapp_id="v-1")).pool == "pool-3"
    assert choose_place(WITH_VAPPS, OF_SHOP, replace(wanted, vapp_id="gone")).vapp is None


def test_host_that_knows_the_hardware_version_goes_before_the_vms_own() -> None:
    old, new = (
        replace(SITE.hosts[1], hardware_versions=frozenset({"vmx-19"})),
        replace(SITE.hosts[0], hardware_versions=frozenset({"vmx-19", "vmx-21"})),
    )
    origin = replace(ORIGIN, hardware_version="vmx-21")
    place = choose_place(replace(SITE, hosts=(new, old)), origin, VmPlacement(name="web"))
    assert place.host.name == "esx01"
