"""What may be attached to the VM that the program runs in is remembered until it is closed."""

from dataclasses import replace
from pathlib import Path

from app.catalog import Catalog
from app.core.access import Attachment
from app.core.clock import SystemClock
from app.domain.ids import PlatformId, TaskId, VmId


def test_the_attachment_journal_keeps_each_place_until_it_is_closed(tmp_path: Path) -> None:
    first = Attachment(
        machine=VmId("vm-1"),
        machine_uuid="instance",
        machine_name="console",
        path="[ds1] web/web.vmdk",
        disk_uuid="6000c29",
        bus=1,
        unit=0,
        owns_controller=True,
    )
    second = replace(first, unit=1, path="[ds1] web/web_1.vmdk", owns_controller=False, is_writable=True)
    task, platform = TaskId("t1"), PlatformId("p1")
    with Catalog.open(tmp_path / "catalog.db", clock=SystemClock()) as catalog:
        _check(catalog, task, platform, first, second)


def _check(catalog: Catalog, task: TaskId, platform: PlatformId, first: Attachment, second: Attachment) -> None:
    journal = catalog.attachment_journal
    for attachment in (first, second, second):
        journal.opened(task, platform, attachment)
    assert list(journal.open_entries()) == [(task, platform, first), (task, platform, second)]
    journal.closed(task, first)
    journal.closed(TaskId("another"), second)
    assert list(journal.open_entries()) == [(task, platform, second)]
