"""The engine's rows as entries of the overview's cards. GUI thread."""

from datetime import datetime, timedelta

from PySide6.QtCore import QCoreApplication

from app.engine.api import OverdueVm, Overview, StandbyGauge, TaskRow
from app.models import format as fmt
from app.views.entries import Entry
from app.views.icons import Glyph
from app.views.places import BACKUP, STANDBYS, rule_place, task_place
from app.views.widgets.gauge import gauge_color
from app.views.words import row_error_message, state_word, task_kind_word


def failure_entry(row: TaskRow, now: datetime) -> Entry:
    """Return a failed task with its reason."""
    reason = row_error_message(row.error) if row.error is not None else state_word(row.state)
    what = QCoreApplication.translate("Overview", "{vm}: {kind} failed")
    return Entry(
        glyph=Glyph.ERROR,
        color="failed",
        title=what.format(vm=row.vm_name, kind=task_kind_word(row.kind)),
        detail=reason,
        right=fmt.short_time(row.ended_at, now),
        address=task_place(row.id),
    )


def overdue_entry(vm: OverdueVm, now: datetime) -> Entry:
    """Return a VM whose newest point is too old, with its age and how late it is."""
    late = fmt.rough_duration(max(timedelta(0), now - vm.expected_by))
    if vm.newest_point is None:
        detail = QCoreApplication.translate("Overview", "No restore point yet; expected {late} ago").format(
            late=late
        )
    else:
        detail = QCoreApplication.translate(
            "Overview", "Newest restore point is {age} old; the next was expected {late} ago"
        ).format(age=fmt.rough_duration(now - vm.newest_point), late=late)
    return Entry(
        glyph=Glyph.WARNING,
        color="pending",
        title=QCoreApplication.translate("Overview", "{vm}: restore point overdue").format(vm=vm.name),
        detail=detail,
        address=rule_place(vm.rule, vm.vm),
    )


def running_entry(row: TaskRow, speed: float | None) -> Entry:
    """Return a running task with its part done, speed and time left."""
    progress = row.progress
    parts = [fmt.percent(progress.fraction) if progress.total_bytes else state_word(row.state)]
    if speed is not None:
        parts.append(fmt.speed(speed))
        if (left := fmt.time_left(progress.done_bytes, progress.total_bytes, speed)) is not None:
            parts.append(
                QCoreApplication.translate("Overview", "{span} left").format(span=fmt.rough_duration(left))
            )
    title = QCoreApplication.translate("Overview", "{vm} · {kind}")
    return Entry(
        glyph=Glyph.START,
        color="active",
        title=title.format(vm=row.vm_name, kind=task_kind_word(row.kind)),
        right="   ".join(parts),
        fraction=progress.fraction,
        address=task_place(row.id),
        tooltip=state_word(row.state),
    )


def next_run_entry(at: datetime, rule_name: str, now: datetime) -> Entry:
    """Return a coming run."""
    local = at.astimezone()
    return Entry(
        glyph=Glyph.CALENDAR,
        color="secondary",
        title=rule_name,
        detail=f"{local:%Y-%m-%d %H:%M}",
        right=fmt.short_time(at, now) if at - now < timedelta(hours=24) else "",
        address=BACKUP,
    )


def standby_entry(gauge: StandbyGauge) -> Entry:
    """Return how full a standby is."""
    if not gauge.reachable:
        return Entry(
            glyph=Glyph.ERROR,
            color="failed",
            title=gauge.name,
            detail=QCoreApplication.translate("Overview", "Not reachable"),
            address=STANDBYS,
        )
    if not gauge.total_bytes or gauge.free_bytes is None:
        return Entry(glyph=Glyph.STANDBY, color="secondary", title=gauge.name, address=STANDBYS)
    fraction = 1 - gauge.free_bytes / gauge.total_bytes
    free = QCoreApplication.translate("Overview", "{free} free")
    words = QCoreApplication.translate("Overview", "{name}: {free} free of {total}")
    sizes = {"free": fmt.size(gauge.free_bytes), "total": fmt.size(gauge.total_bytes)}
    return Entry(
        glyph=Glyph.STANDBY,
        color="secondary",
        title=gauge.name,
        right=free.format(**sizes),
        tooltip=words.format(name=gauge.name, **sizes),
        fraction=fraction,
        bar_color=gauge_color(fraction),
        address=STANDBYS,
    )


def verdict(overview: Overview) -> tuple[Glyph, str, str, str]:
    """Return the answer to "are we safe?": icon, colour, sentence, and what it rests on."""
    late = max(overview.overdue_count, len(overview.overdue))
    bad = len(overview.failures) + late
    if bad:
        title = QCoreApplication.translate("Overview", "{count} things need attention").format(
            count=fmt.count(bad)
        )
        if bad == 1:
            title = QCoreApplication.translate("Overview", "One thing needs attention")
        detail = QCoreApplication.translate(
            "Overview", "VMs whose last run failed: {failed}. VMs with an overdue restore point: {overdue}."
        ).format(failed=len(overview.failures), overdue=fmt.count(late))
        return Glyph.ERROR, "failed", title, detail
    if not overview.protected_vms:
        return (
            Glyph.INFO,
            "active",
            QCoreApplication.translate("Overview", "Nothing is protected yet"),
            QCoreApplication.translate(
                "Overview", "A backup rule says which VMs are backed up, when, and where to."
            ),
        )
    title = QCoreApplication.translate("Overview", "{count} protected VMs, all is well").format(
        count=fmt.count(overview.protected_vms)
    )
    detail = QCoreApplication.translate("Overview", "{points} restore points can be restored").format(
        points=fmt.count(overview.point_count)
    )
    return Glyph.SUCCESS, "completed", title, detail
