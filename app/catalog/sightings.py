"""What was last seen: of platforms, and of the engines that work on this catalog."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from app.catalog.changing import changing
from app.catalog.database import Database
from app.catalog.kept_errors import pack_error, unpack_error
from app.catalog.origins import uuid_in
from app.catalog.registered import reassign_in
from app.catalog.remembered import Remembered
from app.catalog.tables import engines, platform_sightings, platforms
from app.core.changes import ChangeFeed
from app.domain.changes import Subject
from app.domain.engines import EngineBeat
from app.domain.ids import PlatformId
from app.domain.platforms import PlatformFacts, PlatformSighting

_FORGET_ENGINES_AFTER = timedelta(days=30)


class SightingStore:
    """Stores what was last seen of each platform. Thread: any."""

    def __init__(
        self, database: Database, changes: ChangeFeed, on_origins: Callable[[], None] = lambda: None
    ) -> None:
        """Keep them in a database; ``on_origins`` is called after points may have come from another platform."""
        self._database = database
        self._changes = changes
        self._on_origins = on_origins

    def put(self, sighting: PlatformSighting) -> None:
        """Remember a sighting in place of the last one; one of a platform that is not registered is ignored."""
        here = platform_sightings.c.platform_id == sighting.platform
        values = {
            "checked_at": sighting.checked_at,
            "reachable": sighting.reachable,
            "facts": None if sighting.facts is None else msgspec.json.encode(sighting.facts).decode(),
            "license_name": sighting.license_name,
            "vm_count": sighting.vm_count,
            "error_code": None if sighting.error is None else sighting.error.code,
            "error_params": pack_error(sighting.error),
        }
        known = sa.select(platforms.c.id).where(platforms.c.id == sighting.platform)
        seen = sa.select(platform_sightings.c.facts).where(here)
        uuid = None if sighting.facts is None else sighting.facts.instance_uuid
        with changing(self._database, self._changes) as transaction:
            connection = transaction.connection
            transaction.note(Subject.PLATFORMS, sighting.platform)
            if connection.execute(known).one_or_none() is None:
                return
            known_uuid = uuid_in(connection.execute(seen).scalar_one_or_none())
            if not connection.execute(sa.update(platform_sightings).where(here).values(**values)).rowcount:
                connection.execute(sa.insert(platform_sightings).values(platform_id=sighting.platform, **values))
            if uuid != known_uuid:
                reassign_in(transaction)
                transaction.then(self._on_origins)

    def get(self, platform: PlatformId) -> PlatformSighting | None:
        """Return the last sighting of a platform, or None."""
        query = sa.select(platform_sightings).where(platform_sightings.c.platform_id == platform)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return next(iter(self._database.unreadable.readable(platform_sightings, rows, _sighting)), None)

    def all(self) -> dict[PlatformId, PlatformSighting]:
        """Return the last sighting of every platform that was ever looked at."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(platform_sightings)).all()
        found = self._database.unreadable.readable(platform_sightings, rows, _sighting)
        return {sighting.platform: sighting for sighting in found}


class EngineStore:
    """Stores the heartbeat rows of engines. Thread: any."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._all: Remembered[tuple[EngineBeat, ...]] = Remembered(is_alone=database.is_ours_alone)

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        try:
            with self._database.write() as connection:
                yield connection
        finally:
            self._all.forget()

    def begin(self, beat: EngineBeat) -> None:
        """Remember an engine that starts, and forget those that were not heard of for a month."""
        with self._write() as connection:
            long_ago = beat.beat_at - _FORGET_ENGINES_AFTER
            connection.execute(sa.delete(engines).where(engines.c.beat_at < long_ago))
            connection.execute(
                sa.insert(engines).values(
                    id=beat.id,
                    host=beat.host,
                    pid=beat.pid,
                    started_at=beat.started_at,
                    beat_at=beat.beat_at,
                )
            )

    def beat(self, engine: str, at: datetime) -> None:
        """Note that an engine is alive."""
        with self._write() as connection:
            connection.execute(sa.update(engines).where(engines.c.id == engine).values(beat_at=at))

    def end(self, engine: str, at: datetime) -> None:
        """Note that an engine was closed in order."""
        with self._write() as connection:
            connection.execute(sa.update(engines).where(engines.c.id == engine).values(beat_at=at, ended_at=at))

    def all(self) -> tuple[EngineBeat, ...]:
        """Return every engine, the one heard of last first."""

        def read() -> tuple[EngineBeat, ...]:
            with self._database.read() as connection:
                rows = connection.execute(
                    sa.select(engines).order_by(engines.c.beat_at.desc(), engines.c.id)
                ).all()
            return tuple(self._database.unreadable.readable(engines, rows, _beat))

        return self._all.get(read)


def _beat(row: sa.Row[Any]) -> EngineBeat:
    return EngineBeat(
        id=row.id,
        host=row.host,
        pid=row.pid,
        started_at=row.started_at,
        beat_at=row.beat_at,
        ended_at=row.ended_at,
    )


def _sighting(row: sa.Row[Any]) -> PlatformSighting:
    return PlatformSighting(
        platform=PlatformId(row.platform_id),
        checked_at=row.checked_at,
        reachable=row.reachable,
        facts=None if row.facts is None else msgspec.json.decode(row.facts, type=PlatformFacts),
        license_name=row.license_name,
        vm_count=row.vm_count,
        error=unpack_error(row.error_code, row.error_params),
    )
