"""The restore dialog where places have one name, and where the VM will not be as it was."""

from dataclasses import replace

from pytestqt.qtbot import QtBot

from app.contract.restore import ListPlaces, NewVm, PlanRestore, StartRestore
from app.domain.errors import VmCreationFailed
from app.domain.ids import TaskId
from app.domain.places import DatacenterPlace, DatastorePlace, HostPlace, NetworkPlace, PlannedVm, PlatformPlaces
from app.engine.errors import VmNameTaken
from app.views.console import Console
from tests.gui.restore.points import GB
from tests.gui.restore.test_restore import choose_point, open_dialog
from tests.support.said import said
from tests.support.scripted_door import ScriptedDoor


def host(number: int, datacenter: str) -> HostPlace:
    return HostPlace(
        id=f"host-{number}",
        name="esx.lab",
        datacenter="Shanghai",
        datacenter_id=datacenter,
        datastores=(
            DatastorePlace(
                id=f"datastore-{number}", name="datastore1", kind="VMFS", total_bytes=GB, free_bytes=GB
            ),
        ),
        networks=("Production",),
        network_places=(
            NetworkPlace(id=f"network-{number}", name="Production", path="Production"),
            NetworkPlace(id=f"dvportgroup-{number}", name="Production", path="DSwitch/Production"),
        ),
    )


TWINS = PlatformPlaces(
    datacenters=("Shanghai",),
    datacenter_places=(
        DatacenterPlace(id="datacenter-1", name="Shanghai", path="A/Shanghai"),
        DatacenterPlace(id="datacenter-2", name="Shanghai", path="B/Shanghai"),
    ),
    hosts=(host(1, "datacenter-1"), host(2, "datacenter-2")),
)
PLAN = PlannedVm(datacenter="Shanghai", folder=("Web",), host="esx", datastore="ds1", name_taken=False)


def texts(box: object) -> list[str]:
    return [box.itemText(at) for at in range(1, box.count())]  # type: ignore[attr-defined]


def test_places_of_one_name_are_shown_by_their_paths_and_chosen_by_their_ids(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = open_dialog(qtbot, console, door)
    door.answer(ListPlaces, TWINS)
    door.answer(StartRestore, TaskId("t9"))
    choose_point(qtbot, dialog)
    target = dialog.target
    target.platform.setCurrentIndex(-1)
    target.platform.setCurrentIndex(0)
    qtbot.waitUntil(lambda: texts(target.datacenter) == ["A/Shanghai", "B/Shanghai"])
    assert texts(target.host) == ["A/Shanghai/esx.lab", "B/Shanghai/esx.lab"]
    assert [text.partition("  ")[0] for text in texts(target.datastore)] == [
        "A/Shanghai/datastore1",
        "B/Shanghai/datastore1",
    ]
    target.datacenter.setCurrentIndex(target.datacenter.findText("B/Shanghai"))
    assert texts(target.host) == ["esx.lab"]
    assert [text.partition("  ")[0] for text in texts(target.datastore)] == ["datastore1"]
    network, _ = target.adapters.row(4000)
    assert texts(network) == ["DSwitch/Production", "Production"]
    target.datastore.setCurrentIndex(1)
    network.setCurrentIndex(1)
    wish = target.target()
    assert isinstance(wish, NewVm)
    assert (wish.placement.datacenter, wish.placement.datastore) == ("datacenter-2", "datastore-2")
    assert wish.placement.adapter_networks == ((4000, "dvportgroup-2"),)


def test_what_will_not_be_as_it_was_is_said_before_anything_starts(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = open_dialog(qtbot, console, door)
    door.answer(PlanRestore, replace(PLAN, warnings=(said("The VM has vmx-19 there."),)))
    choose_point(qtbot, dialog)
    note = dialog.target.plan_note
    qtbot.waitUntil(lambda: not note.isHidden())
    assert note.text() == "This will not be as it was:\n• The VM has vmx-19 there."


def test_name_that_the_folder_has_and_a_host_that_is_too_old_are_said(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = open_dialog(qtbot, console, door)
    door.answer(PlanRestore, VmNameTaken(name="web", address="vc-1"))
    choose_point(qtbot, dialog)
    note = dialog.target.plan_note
    qtbot.waitUntil(lambda: "already" in note.text())
    door.answer(PlanRestore, VmCreationFailed(vm="web", detail="choose a host with ESXi 6.5 or newer."))
    dialog.target.vm_name.setText("another")
    qtbot.waitUntil(lambda: "ESXi 6.5" in note.text())
    door.answer(PlanRestore, PLAN)
    dialog.target.vm_name.setText("a third")
    qtbot.waitUntil(note.isHidden)
