"""The engine's rows as entries of the overview's cards. GUI thread."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from app.contract.overview import OverdueVm, Overview, StandbyGauge
from app.contract.tasks import TaskRow
from app.domain.clocks import ClockDoubt, ClockDoubtKind
from app.domain.concerns import Concern, ConcernKind
from app.domain.states import TaskState
from app.domain.units import filled
from app.views import formatting
from app.views.frame.places import BACKUP, INSTANT, NEW_RULE, PLATFORMS, STANDBYS, rule_place, task_place
from app.views.icons import Glyph
from app.views.tasks.lines import task_pill
from app.views.widgets.entries import Entry
from app.views.widgets.gauge import gauge_color
from app.views.words import failure_text, row_error_message, state_word, task_kind_word
from app.workers.answers import Failure

_TALLIES: Final = {
    ConcernKind.TROUBLED: QT_TRANSLATE_NOOP("Overview", "VMs from restore points with trouble: {count}"),
    ConcernKind.FAILED: QT_TRANSLATE_NOOP("Overview", "VMs whose last run failed: {count}"),
    ConcernKind.OVERDUE: QT_TRANSLATE_NOOP("Overview", "VMs with an overdue restore point: {count}"),
    ConcernKind.PLATFORM_UNREACHABLE: QT_TRANSLATE_NOOP("Overview", "Platforms not reachable: {count}"),
    ConcernKind.STANDBY_MISSING: QT_TRANSLATE_NOOP("Overview", "Standby machines not reachable: {count}"),
    ConcernKind.STANDBY_FULL: QT_TRANSLATE_NOOP("Overview", "Standby machines full: {count}"),
    ConcernKind.STANDBY_LOCKED: QT_TRANSLATE_NOOP("Overview", "Standby machines locked: {count}"),
    ConcernKind.UNPROTECTED: QT_TRANSLATE_NOOP("Overview", "Unprotected VMs: {count}"),
    ConcernKind.UNPROVEN: QT_TRANSLATE_NOOP("Overview", "VMs without a recent proof of restore: {count}"),
    ConcernKind.STOPPED: QT_TRANSLATE_NOOP("Overview", "Stopped VMs: {count}"),
    ConcernKind.PLATFORM_NEVER_READ: QT_TRANSLATE_NOOP("Overview", "Platforms never read: {count}"),
    ConcernKind.STANDBY_NEARLY_FULL: QT_TRANSLATE_NOOP("Overview", "Standby machines nearly full: {count}"),
}
_CONCERNS: Final = {
    ConcernKind.TROUBLED: (
        QT_TRANSLATE_NOOP(
            "Overview", "{count} {count:VM/VMs} that {count:runs/run} from restore points {count:has/have} trouble"
        ),
        QT_TRANSLATE_NOOP("Overview", "The standby machine under it is away, full or read-only: see the list"),
    ),
    ConcernKind.PLATFORM_UNREACHABLE: (
        QT_TRANSLATE_NOOP("Overview", "{name}: the platform cannot be reached"),
        QT_TRANSLATE_NOOP("Overview", "Its VMs cannot be backed up until it answers"),
    ),
    ConcernKind.STANDBY_MISSING: (
        QT_TRANSLATE_NOOP("Overview", "{name}: the standby machine cannot be reached"),
        QT_TRANSLATE_NOOP("Overview", "Backups to it fail until it is back"),
    ),
    ConcernKind.STANDBY_FULL: (
        QT_TRANSLATE_NOOP("Overview", "{name}: the standby machine is full"),
        QT_TRANSLATE_NOOP("Overview", "The next backup may not fit"),
    ),
    ConcernKind.STANDBY_LOCKED: (
        QT_TRANSLATE_NOOP("Overview", "{name}: the standby machine is locked"),
        QT_TRANSLATE_NOOP("Overview", "Its passphrase or a recovery key opens it"),
    ),
    ConcernKind.UNPROTECTED: (
        QT_TRANSLATE_NOOP("Overview", "{name}: {count} {count:VM is/VMs are} not protected"),
        QT_TRANSLATE_NOOP("Overview", "They are in no backup rule"),
    ),
    ConcernKind.UNPROVEN: (
        QT_TRANSLATE_NOOP(
            "Overview", "{count} {count:VM has/VMs have} no proof of restore as recent as the rule says"
        ),
        QT_TRANSLATE_NOOP("Overview", "Prove a restore point by hand, or look why the proofs did not run"),
    ),
    ConcernKind.STOPPED: (
        QT_TRANSLATE_NOOP("Overview", "{name}: {count} of {of} {of:VM/VMs} {count:is/are} stopped"),
        QT_TRANSLATE_NOOP("Overview", "Stopped VMs are not backed up"),
    ),
    ConcernKind.PLATFORM_NEVER_READ: (
        QT_TRANSLATE_NOOP("Overview", "{name}: its VMs were never listed"),
        QT_TRANSLATE_NOOP("Overview", "How many of them are not protected is unknown; a new rule lists them"),
    ),
    ConcernKind.STANDBY_NEARLY_FULL: (
        QT_TRANSLATE_NOOP("Overview", "{name}: the standby machine is nearly full"),
        QT_TRANSLATE_NOOP("Overview", "Make room, or shorten the retention"),
    ),
}
_PLACES: Final = {
    ConcernKind.TROUBLED: INSTANT,
    ConcernKind.PLATFORM_UNREACHABLE: PLATFORMS,
    ConcernKind.STANDBY_MISSING: STANDBYS,
    ConcernKind.STANDBY_FULL: STANDBYS,
    ConcernKind.STANDBY_LOCKED: STANDBYS,
    ConcernKind.UNPROTECTED: NEW_RULE,
    ConcernKind.UNPROVEN: BACKUP,
    ConcernKind.STOPPED: BACKUP,
    ConcernKind.PLATFORM_NEVER_READ: NEW_RULE,
    ConcernKind.STANDBY_NEARLY_FULL: STANDBYS,
}


def failure_entry(row: TaskRow, now: datetime) -> Entry:
    """Return a failed task with its reason."""
    reason = row_error_message(row.error) if row.error is not None else state_word(row.state)
    what = QCoreApplication.translate("Overview", "{vm}: {kind} failed")
    return Entry(
        glyph=Glyph.ERROR,
        color="failed",
        title=what.format(vm=row.vm_name, kind=task_kind_word(row.kind)),
        detail=reason,
        right=formatting.short_time(row.ended_at, now),
        address=task_place(row.id),
    )


def overdue_entry(vm: OverdueVm, now: datetime) -> Entry:
    """Return a VM whose newest point is too old, with its age and how late it is."""
    late = formatting.rough_duration(max(timedelta(0), now - vm.expected_by))
    if vm.newest_point is None:
        detail = QCoreApplication.translate("Overview", "No restore point yet; expected {late} ago").format(
            late=late
        )
    else:
        detail = QCoreApplication.translate(
            "Overview", "Newest restore point is {age} old; the next was expected {late} ago"
        ).format(age=formatting.rough_duration(now - vm.newest_point), late=late)
    return Entry(
        glyph=Glyph.WARNING,
        color="pending",
        title=QCoreApplication.translate("Overview", "{vm}: restore point overdue").format(vm=vm.name),
        detail=detail,
        address=rule_place(vm.rule, vm.vm),
    )


def running_entry(row: TaskRow) -> Entry:
    """Return a running task with its part done, speed and time left."""
    progress, speed = row.progress, row.read_bytes_per_s
    is_moved = progress.total_bytes and row.state is not TaskState.REMOVING_SNAPSHOT
    parts = [formatting.percent(progress.fraction) if is_moved else task_pill(row).text]
    if speed is not None:
        parts.append(formatting.speed(speed))
        if (left_s := progress.seconds_left(speed)) is not None:
            left = formatting.rough_duration(timedelta(seconds=left_s))
            parts.append(QCoreApplication.translate("Overview", "{span} left").format(span=left))
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
        right=formatting.short_time(at, now) if at - now < timedelta(hours=24) else "",
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
        return Entry(
            glyph=Glyph.DISK,
            color="secondary",
            title=gauge.name,
            detail=QCoreApplication.translate("Overview", "Free space unknown"),
            address=STANDBYS,
        )
    fraction = 1 - gauge.free_bytes / gauge.total_bytes
    free = QCoreApplication.translate("Overview", "{free} free")
    words = QCoreApplication.translate("Overview", "{name}: {free} free of {total}")
    sizes = {"free": formatting.size(gauge.free_bytes), "total": formatting.size(gauge.total_bytes)}
    return Entry(
        glyph=Glyph.DISK,
        color="secondary",
        title=gauge.name,
        right=free.format(**sizes),
        tooltip=words.format(name=gauge.name, **sizes),
        fraction=fraction,
        bar_color=gauge_color(fraction),
        address=STANDBYS,
    )


def clock_entry(doubt: ClockDoubt) -> Entry:
    """Return why the clock of the engine's machine is not believed."""
    hours = f"{abs(doubt.seconds) / 3600:.1f}"
    titles = {
        ClockDoubtKind.AHEAD: QCoreApplication.translate(
            "Overview", "The clock jumped ahead by {hours} {hours:hour/hours}"
        ),
        ClockDoubtKind.BEHIND: QCoreApplication.translate(
            "Overview", "The clock went back by {hours} {hours:hour/hours}"
        ),
        ClockDoubtKind.PLATFORM: QCoreApplication.translate(
            "Overview", "{subject}: its clock differs by {hours} {hours:hour/hours}"
        ),
        ClockDoubtKind.STANDBY: QCoreApplication.translate(
            "Overview", "{subject}: its clock differs by {hours} {hours:hour/hours}"
        ),
    }
    return Entry(
        glyph=Glyph.WARNING,
        color="pending",
        title=filled(titles[doubt.kind], {"hours": hours, "subject": doubt.subject}),
        detail=QCoreApplication.translate("Overview", "Until the clock is right, nothing is removed for its age"),
    )


def verdict(overview: Overview) -> tuple[Glyph, str, str, str]:
    """Return the answer to "are we safe?": icon, colour, sentence, and what it rests on."""
    concerns = overview.concerns()
    urgent = sum(concern.count for concern in concerns if concern.kind.is_urgent)
    if urgent:
        return Glyph.ERROR, "failed", _urgent_title(urgent), _tallied(concerns)
    if overview.clock_doubts:
        return (
            Glyph.WARNING,
            "pending",
            QCoreApplication.translate("Overview", "Is the clock of this machine right?"),
            QCoreApplication.translate(
                "Overview",
                "It does not fit what is known. Until it is right again, or you confirm it, no restore point is "
                "removed for its age.",
            ),
        )
    if not overview.protected_vms:
        return (
            Glyph.INFO,
            "active",
            QCoreApplication.translate("Overview", "Nothing is protected yet"),
            QCoreApplication.translate(
                "Overview", "A backup rule says which VMs are backed up, when, and where to."
            ),
        )
    protected = formatting.count(overview.protected_vms)
    if concerns:
        title = QCoreApplication.translate("Overview", "{count} protected {count:VM/VMs}, but not all is well")
        return Glyph.WARNING, "pending", filled(title, {"count": protected}), _tallied(concerns)
    title = filled(
        QCoreApplication.translate("Overview", "{count} protected {count:VM/VMs}, all is well"),
        {"count": protected},
    )
    detail = filled(
        QCoreApplication.translate("Overview", "{points} restore {points:point/points} can be restored"),
        {"points": formatting.count(overview.point_count)},
    )
    return Glyph.SUCCESS, "completed", title, detail


def proven_line(overview: Overview) -> str:
    """Return of how many VMs a restore was proven, and how many of them were started for it."""
    words = QCoreApplication.translate("Overview", "Proven: {proven} {proven:VM/VMs}, of which {booted} booted")
    return filled(
        words, {"proven": formatting.count(overview.proven_vms), "booted": formatting.count(overview.booted_vms)}
    )


def unknown(failure: Failure) -> tuple[Glyph, str, str, str]:
    """Return the answer to "are we safe?" while the engine gives none: icon, colour, sentence, and why."""
    title = QCoreApplication.translate("Overview", "Whether all is well is not known now")
    detail = QCoreApplication.translate("Overview", "{reason} What is below was seen before.")
    return Glyph.WARNING, "unknown", title, detail.format(reason=failure_text(failure))


def _urgent_title(count: int) -> str:
    if count == 1:
        return QCoreApplication.translate("Overview", "One thing needs attention")
    return filled(
        QCoreApplication.translate("Overview", "{count} {count:thing needs/things need} attention"),
        {"count": formatting.count(count)},
    )


def _tallied(concerns: Sequence[Concern]) -> str:
    """Return how much there is of each kind, worst first."""
    counts: dict[ConcernKind, int] = {}
    for concern in concerns:
        counts[concern.kind] = counts.get(concern.kind, 0) + concern.count
    return " · ".join(
        QCoreApplication.translate("Overview", str(_TALLIES[kind])).format(count=formatting.count(count))
        for kind, count in counts.items()
    )


def concern_entry(concern: Concern) -> Entry:
    """Return a concern as a line that leads to where something can be done about it."""
    title, detail = _CONCERNS[concern.kind]
    words = {"name": concern.name, "count": formatting.count(concern.count), "of": formatting.count(concern.of)}
    return Entry(
        glyph=Glyph.ERROR if concern.kind.is_urgent else Glyph.WARNING,
        color="failed" if concern.kind.is_urgent else "pending",
        title=filled(QCoreApplication.translate("Overview", str(title)), words),
        detail=QCoreApplication.translate("Overview", str(detail)),
        address=rule_place(concern.rule) if concern.rule is not None else _PLACES[concern.kind],
    )
