"""Where a VM is created: what was asked for, else what it came from, else the only one there is."""

from dataclasses import replace

import pytest

from app.domain.vms import VmPlacement
from app.vsphere.placement import Host, NoPlace, Origin, Site, choose_place

ORIGIN = Origin(
    datacenter="Shanghai",
    folder=("Production", "Web"),
    host="esx02",
    resource_pool="Gold",
    datastore="ds1",
    disk_datastores={2000: "ds1", 2001: "ds2"},
)


def host(name: str, *datastores: str, datacenter: str = "Shanghai") -> Host:
    return Host(
        moid=f"host-{name}",
        name=name,
        datacenter=datacenter,
        root_pool=f"pool-{name}",
        pools={"Resources": f"pool-{name}", "Gold": f"gold-{name}"},
        datastores=frozenset(datastores),
        networks={},
    )


SITE = Site(
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
    site = replace(SITE, hosts=(host("esx07", "ds1"), host("esx08", "ds1", "ds2")))
    assert choose_place(site, ORIGIN, VmPlacement(name="web-01")).host.name == "esx08"


def test_wanted_host_and_datastore_are_taken() -> None:
    place = choose_place(SITE, ORIGIN, VmPlacement(name="web-01", host="esx03", datastore="ds3"))
    assert (place.host.name, place.datastore) == ("esx03", "ds3")
    assert place.disk_datastores == {2000: "ds3", 2001: "ds3"}


def test_wanted_datastore_chooses_a_host_that_has_it() -> None:
    assert choose_place(SITE, ORIGIN, VmPlacement(name="web-01", datastore="ds3")).host.name == "esx03"


def test_single_disks_may_lie_elsewhere() -> None:
    wanted = VmPlacement(name="web-01", datastore="ds1", disk_datastores=((2001, "ds2"),))
    assert choose_place(SITE, ORIGIN, wanted).disk_datastores == {2000: "ds1", 2001: "ds2"}


def test_disk_whose_datastore_is_gone_lies_with_the_vm_and_that_is_said() -> None:
    site = replace(SITE, hosts=(host("esx01", "ds1", "ds9"),))
    place = choose_place(site, ORIGIN, VmPlacement(name="web-01"))
    assert place.disk_datastores == {2000: "ds1", 2001: "ds1"}
    assert any("ds2" in warning for warning in place.warnings)


def test_missing_folder_is_replaced_by_the_nearest_above_and_that_is_said() -> None:
    place = choose_place(SITE, ORIGIN, VmPlacement(name="web-01", folder=("Production", "Gone", "Deeper")))
    assert place.folder == "prod"
    assert any("Production/Gone/Deeper" in warning for warning in place.warnings)


def test_missing_pool_is_replaced_by_the_root_and_that_is_said() -> None:
    place = choose_place(SITE, replace(ORIGIN, resource_pool="Silver"), VmPlacement(name="web-01"))
    assert place.pool == "pool-esx02"
    assert any("Silver" in warning for warning in place.warnings)


def test_only_datacenter_of_another_platform_is_taken() -> None:
    site = Site(hosts=(host("esx", "ds1", "ds2", datacenter="Beijing"),), folders={"Beijing": {(): "root"}})
    assert choose_place(site, ORIGIN, VmPlacement(name="web-01")).host.datacenter == "Beijing"


def test_only_datastore_of_a_host_is_taken() -> None:
    site = replace(SITE, hosts=(host("esx03", "ds3"),))
    assert choose_place(site, ORIGIN, VmPlacement(name="web-01")).datastore == "ds3"


def test_wanted_host_names_its_datacenter() -> None:
    site = Site(
        hosts=(*SITE.hosts, host("esx99", "ds1", datacenter="Beijing")),
        folders={**SITE.folders, "Beijing": {(): "bj"}},
    )
    assert choose_place(site, ORIGIN, VmPlacement(name="web-01", host="esx99")).folder == "bj"


@pytest.mark.parametrize(
    ("site", "wanted", "reason"),
    [
        (SITE, VmPlacement(name="x", datacenter="Atlantis"), "no datacenter Atlantis"),
        (SITE, VmPlacement(name="x", host="esx99"), "esx99 is not connected"),
        (SITE, VmPlacement(name="x", datacenter="Shanghai", host="esx99"), "esx99 is not connected"),
        (SITE, VmPlacement(name="x", datastore="ds9"), "has the datastore ds9"),
        (SITE, VmPlacement(name="x", host="esx03", datastore="ds1"), "has the datastore ds1"),
        (SITE, VmPlacement(name="x", disk_datastores=((2000, "ds9"),)), "has the datastore ds9"),
        (replace(SITE, hosts=()), VmPlacement(name="x"), "no host of Shanghai"),
        (replace(SITE, hosts=(host("e", "a", "b"),)), VmPlacement(name="x"), "choose a datastore"),
        (Site(hosts=(), folders={"A": {}, "B": {}}), VmPlacement(name="x"), "choose a datacenter"),
    ],
)
def test_what_is_not_there_or_not_clear_is_refused(site: Site, wanted: VmPlacement, reason: str) -> None:
    with pytest.raises(NoPlace, match=reason):
        choose_place(site, ORIGIN, wanted)
