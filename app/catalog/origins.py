"""Which registered platform each restore point came from.

A point keeps the address and, where it is known, the instance UUID of its platform. Whose that is follows from
what is registered, so it is worked out again whenever a platform is registered, moved, removed or recognized.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from app.domain.ids import PlatformId
from app.domain.platforms import Platform, PlatformIdentity, origin_among, registered_identities

_PLATFORMS = sa.table(
    "platforms", *(sa.column(name) for name in ("id", "name", "address", "port", "user", "former_addresses"))
)
_SIGHTINGS = sa.table("platform_sightings", sa.column("platform_id"), sa.column("facts"))
_POINTS = sa.table("points", *(sa.column(name) for name in ("platform_address", "platform_uuid", "origin")))


class _Facts(msgspec.Struct):
    instance_uuid: str | None = None


class OriginsOfPoints:
    """Tells the origin of points that are written in one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        rows = connection.execute(sa.select(_PLATFORMS)).all()
        seen = connection.execute(sa.select(_SIGHTINGS)).all()
        uuids = {PlatformId(row.platform_id): uuid_in(row.facts) for row in seen}
        self._registered = registered_identities(map(_platform, rows), uuids)

    def of(self, recorded: PlatformIdentity) -> str:
        """Return the id of the registered platform, or a key of the one that is on record."""
        return origin_among(recorded, self._registered) or unregistered_origin(recorded)


def unregistered_origin(recorded: PlatformIdentity) -> str:
    """Return the key of a platform that is not registered, or that cannot be told from others."""
    if recorded.instance_uuid:
        return f"uuid:{recorded.instance_uuid.lower()}"
    return f"at:{recorded.address.casefold()}"


def platform_of(origin: str) -> PlatformId | None:
    """Return the registered platform that an origin names, None when it names none."""
    return None if origin.startswith(("uuid:", "at:")) else PlatformId(origin)


def reassign(connection: sa.Connection) -> bool:
    """Work out again where every point came from; return whether anything changed."""
    origins = OriginsOfPoints(connection)
    pairs = (_POINTS.c.platform_address, _POINTS.c.platform_uuid, _POINTS.c.origin)
    has_changed = False
    for address, uuid, origin in connection.execute(sa.select(*pairs).distinct()).all():
        found = origins.of(PlatformIdentity(address=address, instance_uuid=uuid))
        if found == origin:
            continue
        same_uuid = _POINTS.c.platform_uuid.is_(None) if uuid is None else _POINTS.c.platform_uuid == uuid
        these = (_POINTS.c.platform_address == address) & same_uuid & (_POINTS.c.origin == origin)
        connection.execute(sa.update(_POINTS).where(these).values(origin=found))
        has_changed = True
    return has_changed


def uuid_in(facts: object) -> str | None:
    """Return the instance UUID in the stored facts of a platform; None where it is not known."""
    try:
        return msgspec.json.decode(facts, type=_Facts).instance_uuid if isinstance(facts, str) else None
    except msgspec.MsgspecError:  # the row is named as unreadable where it is shown
        return None


def packed_addresses(addresses: Iterable[str]) -> str:
    """Return former addresses as they are stored."""
    return msgspec.json.encode(list(addresses)).decode()


def unpacked_addresses(stored: str) -> tuple[str, ...]:
    """Return stored former addresses.

    Raises:
        msgspec.MsgspecError: they are no list of texts.
    """
    return msgspec.json.decode(stored, type=tuple[str, ...])


def _platform(row: sa.Row[Any]) -> Platform:
    try:
        former = unpacked_addresses(row.former_addresses)
    except (msgspec.MsgspecError, TypeError):  # as above
        former = ()
    return Platform(
        id=PlatformId(row.id),
        name=row.name,
        address=str(row.address),
        user=row.user,
        thumbprint_sha256=None,
        former_addresses=former,
    )
