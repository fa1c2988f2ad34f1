"""However many objects have one name, what the ids of a saved VM name is what a restore takes."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.vms import VmPlacement
from app.vsphere.offer import Datacenter, Host, PlatformOffer
from app.vsphere.placement import NoPlace, Origin, choose_place

NAMES = st.sampled_from(["Shanghai", "A/Shanghai", "ds1", "group-1"])


@st.composite
def offers(draw: st.DrawFn) -> PlatformOffer:
    """Datacenters with a host, a datastore, a folder and a pool each; any of them may share their names."""
    count = draw(st.integers(1, 4))
    datacenters = {
        f"datacenter-{n}": Datacenter(moid=f"datacenter-{n}", name=(name := draw(NAMES)), path=f"F{n}/{name}")
        for n in range(count)
    }
    hosts = []
    for n in range(count):
        store = draw(NAMES)
        hosts.append(
            Host(
                moid=f"host-{n}",
                name=draw(NAMES),
                datacenter=f"datacenter-{n}",
                root_pool=f"root-{n}",
                pools={"Resources": f"root-{n}", "Gold": f"pool-{n}", "East/Gold": f"east-{n}"},
                datastores=frozenset({store}),
                networks={},
                datastore_ids={f"datastore-{n}": store},
            )
        )
    folders = {f"datacenter-{n}": {(): f"top-{n}", ("Web",): f"web-{n}"} for n in range(count)}
    return PlatformOffer(hosts=tuple(hosts), folders=folders, datacenters=datacenters)


def origin_in(offer: PlatformOffer, n: int, *, same_platform: bool | None) -> Origin:
    host = offer.hosts[n]
    (store,) = host.datastores
    return Origin(
        datacenter=offer.datacenters[host.datacenter].name,
        folder=("Web",),
        host=host.name,
        resource_pool="Gold",
        datastore=store,
        disk_datastores={2000: store},
        datacenter_id=host.datacenter,
        folder_id=f"web-{n}",
        host_id=host.moid,
        resource_pool_id=f"east-{n}",
        datastore_ids={store: f"datastore-{n}"},
        same_platform=same_platform,
    )


@given(st.data())
def test_ids_of_the_same_platform_decide(data: st.DataObject) -> None:
    offer = data.draw(offers())
    n = data.draw(st.integers(0, len(offer.hosts) - 1))
    known = data.draw(st.sampled_from([True, None]))
    place = choose_place(offer, origin_in(offer, n, same_platform=known), VmPlacement(name="web"))
    assert (place.host.moid, place.folder, place.pool) == (f"host-{n}", f"web-{n}", f"east-{n}")
    assert place.datastore in offer.hosts[n].datastores
    assert place.warnings == ()


@given(st.data())
def test_ids_that_are_asked_for_decide(data: st.DataObject) -> None:
    offer = data.draw(offers())
    n, k = (data.draw(st.integers(0, len(offer.hosts) - 1)) for _ in range(2))
    wanted = VmPlacement(
        name="web", datacenter=f"datacenter-{k}", host=f"host-{k}", datastore=f"datastore-{k}", folder=("Web",)
    )
    place = choose_place(offer, origin_in(offer, n, same_platform=True), wanted)
    assert (place.host.moid, place.folder) == (f"host-{k}", f"web-{k}")
    assert place.datastore in offer.hosts[k].datastores


@given(st.data())
def test_a_name_is_taken_only_where_one_has_it(data: st.DataObject) -> None:
    offer = data.draw(offers())
    text = data.draw(NAMES)
    having = [datacenter.moid for datacenter in offer.datacenters.values() if datacenter.name == text]
    try:
        place = choose_place(
            offer, origin_in(offer, 0, same_platform=False), VmPlacement(name="web", datacenter=text, folder=())
        )
    except NoPlace:
        return
    assert having == [place.host.datacenter]
