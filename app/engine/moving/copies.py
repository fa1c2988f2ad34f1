"""A copy of the rules at each repository that they back up to, so that a lost workstation loses none of them.

It is written before each backup, and soon after rules or platforms change. It has the form of the configuration's
file, with the rules of that place and the platforms that they name; never secrets, and never the commands around
backups: whoever can write at a standby must not choose what runs on a workstation.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

import app
from app.core.bus import EventBus
from app.domain.changes import Changed, Subject
from app.domain.errors import OperationalError
from app.domain.events import Event, StandbyUsabilityChanged
from app.domain.ids import StandbyId
from app.domain.platforms import Platform
from app.domain.rules import BackupRule
from app.engine.moving.collected import Known
from app.engine.moving.form import Configuration
from app.engine.moving.gather import rule_entry
from app.engine.ports import Catalog
from app.engine.standbys.repositories import Repositories
from app.repository import Repository

_log = logging.getLogger(__name__)

_NO_MOMENT: Final = datetime.fromtimestamp(0, UTC)
"""The file that holds a copy says when it was written; equal rules give equal copies."""

Place = tuple[StandbyId, str]
Aside = Callable[[str, Callable[[], None]], None]
"""Runs work under a name on a thread of its own."""


class RuleCopies:
    """Keeps the copies as the rules are. Thread: any."""

    def __init__(self, catalog: Catalog, repositories: Repositories) -> None:
        self._catalog = catalog
        self._repositories = repositories
        self._lock = threading.Lock()
        self._written: dict[Place, bytes] = {}
        self._aside: Aside | None = None
        self._is_running = False
        self._is_wanted = False
        self._is_closed = False
        self._seen: tuple[tuple[BackupRule, ...], tuple[Platform, ...]] | None = None

    def start(self, bus: EventBus, aside: Aside) -> None:
        """Write copies in the background from now on: once now, and after each change."""
        self._aside = aside
        bus.subscribe(self._on_event)
        self._want()

    def close(self) -> None:
        """Begin nothing more in the background: what changes from now on is written before the next backup."""
        with self._lock:
            self._is_closed = True

    def publish(self, repository: Repository, standby: StandbyId, target_path: str) -> None:
        """Write the copy at a repository where it is not as the rules are; for tasks, before they write data.

        Raises:
            RulesTakenOver: another console took the rules over: nothing may be written there.
            OperationalError: the standby refuses.
        """
        place = (standby, target_path)
        content = self._content(place)
        if content is None or self._written.get(place) == content:
            repository.consoles.refuse_taken_over()
            return
        repository.publish_rules(content)
        self._written[place] = content

    def _content(self, place: Place) -> bytes | None:
        """Return the copy that belongs at a place; None where nothing has to be there."""
        rules = [rule for rule in self._catalog.rules.all() if (rule.standby, rule.target_path) == place]
        if not rules and place not in self._written:
            return None
        used = {rule.platform for rule in rules}
        platforms = tuple(platform for platform in self._catalog.platforms.all() if platform.id in used)
        copy = Configuration(
            made_at=_NO_MOMENT,
            program=app.__version__,
            host="",
            platforms=platforms,
            rules=tuple(rule_entry(rule, Known()) for rule in rules),
        )
        return msgspec.json.encode(copy)

    # --- in the background ---------------------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Changed) and event.subject in (Subject.RULES, Subject.PLATFORMS):
            self._want()
        elif isinstance(event, StandbyUsabilityChanged) and event.usable:
            self._seen = None
            self._want()

    def _want(self) -> None:
        with self._lock:
            self._is_wanted = True
            if self._is_running or self._is_closed or self._aside is None:
                return
            self._is_running = True
            aside = self._aside
        aside("rule-copies", self._run)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._is_wanted or self._is_closed:
                    self._is_running = False
                    return
                self._is_wanted = False
            self._write_all()

    def _write_all(self) -> None:
        """Write what has changed; never raises: what cannot be written now is, before the next backup there."""
        try:
            now = (self._catalog.rules.all(), self._catalog.platforms.all())
            if self._seen is not None and all(mine is its for mine, its in zip(now, self._seen, strict=True)):
                return
            self._seen = now
            places = {(rule.standby, rule.target_path) for rule in now[0]} | self._written.keys()
            for standby, target_path in sorted(places):
                self._write(standby, target_path)
        except OperationalError as error:
            _log.info("the copies of the rules are written later: %s", error)

    def _write(self, standby: StandbyId, target_path: str) -> None:
        try:
            if target_path not in self._catalog.standbys.repositories(standby):
                return  # nothing was ever backed up there: the first backup makes the repository, and the copy
            with self._repositories.lease(standby, target_path) as repository:
                self.publish(repository, standby, target_path)
        except OperationalError as error:
            _log.info("the copy of the rules in %s is written later: %s", target_path or "/", error)
