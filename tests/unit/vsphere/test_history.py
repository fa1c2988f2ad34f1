"""What counts as a revert in the platform's event history, however the events are written."""

from io import BytesIO

import pytest

from app.vsphere.history import LightEvent, parse_events

ANSWER = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:x="http://www.w3.org/2001/XMLSchema-instance">
<soapenv:Body><QueryEventsResponse xmlns="urn:vim25">
<returnval x:type="VmPoweredOnEvent"><key>1</key><vm><name>web</name></vm><template>false</template></returnval>
<returnval x:type="TaskEvent"><key>2</key><info><key>task-1</key><name>RevertToSnapshot_Task</name>
<descriptionId>vm.Snapshot.revert</descriptionId><entity type="VirtualMachine">vm-1</entity></info></returnval>
<returnval x:type="EventEx"><key>3</key><eventTypeId>com.vmware.vc.vm.VmStateRevertedToSnapshot</eventTypeId>
<arguments><key>snapshotName</key><value>before</value></arguments></returnval>
<returnval x:type="ClassOfALaterVersion"><key>4</key><deep><eventTypeId>not at this depth</eventTypeId></deep>
</returnval>
</QueryEventsResponse></soapenv:Body></soapenv:Envelope>"""


def test_events_are_read_without_knowing_their_classes() -> None:
    assert parse_events(BytesIO(ANSWER.encode())) == [
        LightEvent("VmPoweredOnEvent"),
        LightEvent("TaskEvent", task="vm.Snapshot.revert"),
        LightEvent("EventEx", type_id="com.vmware.vc.vm.VmStateRevertedToSnapshot"),
        LightEvent("ClassOfALaterVersion"),
    ]


@pytest.mark.parametrize(
    "event",
    [
        LightEvent("EventEx", type_id="com.vmware.vc.vm.VmStateRevertedToSnapshot"),
        LightEvent("TaskEvent", task="vm.Snapshot.revert"),
        LightEvent("TaskEvent", task="vim.vm.Snapshot.revert"),
        LightEvent("TaskEvent", task="VirtualMachine.revertToCurrentSnapshot"),
        LightEvent("VmRevertedEvent"),
    ],
)
def test_everything_that_speaks_of_a_revert_counts(event: LightEvent) -> None:
    assert event.shows_revert


@pytest.mark.parametrize(
    "event",
    [
        LightEvent("VmPoweredOnEvent"),
        LightEvent("TaskEvent", task="VirtualMachine.createSnapshot"),
        LightEvent("TaskEvent", task="vm.Snapshot.remove"),
        LightEvent("EventEx", type_id="com.vmware.vc.VmDiskConsolidatedEvent"),
    ],
)
def test_what_else_happens_to_a_vm_does_not_count(event: LightEvent) -> None:
    assert not event.shows_revert
