"""Numbers and times as the console shows them. GUI thread: relative times are translated."""

from datetime import datetime, timedelta
from typing import Final

from PySide6.QtCore import QCoreApplication

from app.domain.units import filled, size_text

NOTHING: Final = "—"
"""Stands where there is no value."""

_YOUNG: Final = timedelta(hours=24)


def size(size_bytes: float | None) -> str:
    """Return a size with three figures: ``40.0 GB``; decimal units, as disks are sold."""
    return NOTHING if size_bytes is None else size_text(size_bytes)


def speed(bytes_per_s: float | None) -> str:
    """Return a speed with three figures: ``312 MB/s``."""
    return NOTHING if bytes_per_s is None else f"{size(bytes_per_s)}/s"


def duration(span: timedelta | None) -> str:
    """Return a duration by its two largest units: ``1 h 03 min``, ``2 d 4 h``, ``8 s``."""
    if span is None:
        return NOTHING
    seconds = max(0, round(span.total_seconds()))
    minutes, seconds_left = divmod(seconds, 60)
    hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    if days:
        template = QCoreApplication.translate("Format", "{days} d {hours} h")
    elif hours:
        template = QCoreApplication.translate("Format", "{hours} h {minutes} min")
    elif minutes:
        template = QCoreApplication.translate("Format", "{minutes} min {seconds} s")
    else:
        return QCoreApplication.translate("Format", "{n} s").format(n=seconds)
    return template.format(
        days=days,
        hours=hours_left,
        minutes=f"{minutes_left:02d}" if hours else minutes,
        seconds=f"{seconds_left:02d}",
    )


def exact_time(moment: datetime | None) -> str:
    """Return a moment as local date and time."""
    return NOTHING if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def short_time(moment: datetime | None, now: datetime) -> str:
    """Return a young moment relative to now (3 min ago, in 2 h), an older one as briefly as it stays clear."""
    if moment is None:
        return NOTHING
    distance = now - moment
    if abs(distance) >= _YOUNG:
        return compact_time(moment, now)
    if abs(distance) < timedelta(seconds=45):
        return QCoreApplication.translate("Format", "just now")
    template = (
        QCoreApplication.translate("Format", "{span} ago")
        if distance > timedelta(0)
        else QCoreApplication.translate("Format", "in {span}")
    )
    return template.format(span=_words(abs(distance)))


def compact_time(moment: datetime | None, now: datetime) -> str:
    """Return a moment as briefly as it stays clear, for narrow columns: ``17:51``, ``11-21 17:51``."""
    if moment is None:
        return NOTHING
    local, today = moment.astimezone(), now.astimezone()
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local:%m-%d %H:%M}" if local.year == today.year else f"{local:%Y-%m-%d}"


def _words(span: timedelta) -> str:
    minutes = max(1, round(span.total_seconds() / 60))
    if minutes < 60:
        return QCoreApplication.translate("Format", "{n} min").format(n=minutes)
    return QCoreApplication.translate("Format", "{n} h").format(n=round(minutes / 60))


def rough_duration(span: timedelta) -> str:
    """Return a duration in words, by its largest unit: 5 min, 3 h, 2 days."""
    if span < timedelta(minutes=1):
        return QCoreApplication.translate("Format", "{n} s").format(n=max(1, round(span.total_seconds())))
    if span < timedelta(hours=48):
        return _words(span)
    return filled(QCoreApplication.translate("Format", "{n} {n:day/days}"), {"n": round(span / timedelta(days=1))})


def percent(fraction: float | None) -> str:
    """Return a part as the documented page shows it: ``24.8%``."""
    if fraction is None:
        return NOTHING
    return "100%" if fraction >= 0.9995 else f"{fraction * 100:.1f}%"


def count(number: int | None) -> str:
    """Return a count with separated thousands."""
    return NOTHING if number is None else f"{number:,}"
