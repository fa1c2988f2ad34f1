"""The tree of VMs where datacenters have one name."""

from app.domain.ids import VmId
from app.domain.vms import PowerState, VmSummary
from app.models.vm_tree import VmTreeModel


def vm(number: int, datacenter: str, path: str) -> VmSummary:
    return VmSummary(
        id=VmId(f"vm-{number}"),
        name=f"web-{number}",
        power_state=PowerState.ON,
        instance_uuid=None,
        bios_uuid=None,
        guest="",
        hostname=None,
        host="esx",
        datacenter=path.rpartition("/")[2],
        datacenter_id=datacenter,
        datacenter_path=path,
        folder=("Web",),
        datastores=("datastore1",),
        disk_bytes=0,
        change_tracking_supported=True,
        change_tracking_enabled=True,
        snapshot_count=0,
        is_template=False,
    )


def tops(model: VmTreeModel) -> list[tuple[str, int]]:
    rows = [model.index(row, 0) for row in range(model.rowCount())]
    return [(str(model.data(row)), model.rowCount(row)) for row in rows]


def test_datacenters_of_one_name_are_two_groups_with_their_paths() -> None:
    model = VmTreeModel()
    model.set_vms((vm(1, "datacenter-1", "A/Shanghai"), vm(2, "datacenter-2", "B/Shanghai")), {})
    assert tops(model) == [("A/Shanghai", 1), ("B/Shanghai", 1)]


def test_a_datacenter_whose_name_is_the_only_one_shows_its_name() -> None:
    model = VmTreeModel()
    model.set_vms((vm(1, "datacenter-1", "A/Shanghai"), vm(2, "datacenter-2", "A/Suzhou")), {})
    assert [name for name, _ in tops(model)] == ["Shanghai", "Suzhou"]
