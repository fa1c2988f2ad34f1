"""The operator's time zone, as the operating system knows it."""

import time
from datetime import UTC, datetime, timedelta, tzinfo


class LocalZone(tzinfo):
    """This machine's time zone with its past and future changes between summer and winter time.

    The standard library only gives the offset of one moment; plans need the zone's rules for every day to come.
    The rules are the operating system's, read again when the operator changes the zone.

    Thread: any.
    """

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """Return the offset at a local time; of a repeated one the first, unless ``fold`` is set."""
        if dt is None:
            return None
        return dt.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, dt: datetime | None) -> timedelta | None:  # noqa: ARG002
        """Return None: the operating system does not say how much of an offset is summer time."""
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        """Return the zone's abbreviation at a local time."""
        return None if dt is None else dt.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, dt: datetime) -> datetime:
        """Return a moment, given as UTC that carries this zone, as local time."""
        stamp = dt.replace(tzinfo=UTC).timestamp()
        return datetime.fromtimestamp(stamp).replace(tzinfo=self)  # noqa: DTZ006 - the naive local time is wanted

    def __repr__(self) -> str:
        return "LocalZone()"


_LOCAL = LocalZone()


def local_zone() -> tzinfo:
    """Return this machine's time zone as it is set now."""
    if hasattr(time, "tzset"):
        time.tzset()
    return _LOCAL
