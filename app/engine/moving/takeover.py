"""Takes the rules of a console over that is gone: from the copy of them at the standby, else from its points."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import time

import msgspec

from app.contract.moving import FoundConsole, FoundRule, InspectTakeOver, TakeOver, TakeOverReport
from app.core.clock import Clock
from app.domain.ids import PlatformId
from app.domain.moving import Intake
from app.domain.platforms import PlatformIdentity, origin_among
from app.domain.rules import BackupRule
from app.domain.standbys import Standby
from app.engine.errors import RequestRefused
from app.engine.handlers import handles
from app.engine.log.journal import Journal
from app.engine.moving import messages
from app.engine.moving.collected import Collected, Known
from app.engine.moving.comparerules import compare_rules
from app.engine.moving.derived import rules_of_points, scheduled
from app.engine.moving.errors import ConsoleNotThere, PlatformsMissing, TakeOverNotConfirmed
from app.engine.moving.form import Configuration, RuleEntry
from app.engine.moving.intake import stopped_rule
from app.engine.moving.reasons import NO_TIME_OF_DAY
from app.engine.platforms.sessions import Sessions
from app.engine.points.list import PointList
from app.engine.ports import Catalog
from app.engine.standbys.lookup import registered_standby
from app.engine.standbys.repositories import Repositories
from app.repository import ConsoleCopy, TakenOver


@dataclass(frozen=True, slots=True)
class _At:
    """A console's copy of its rules at one repository."""

    target_path: str
    copy: ConsoleCopy
    configuration: Configuration
    is_at_work: bool


class TakeOverHandlers:
    """Answers about the rules of other consoles at a standby machine. Thread: any; take-overs take turns."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        sessions: Sessions,
        repositories: Repositories,
        points: PointList,
        journal: Journal,
        clock: Clock,
        taken_in: Callable[[], None],
    ) -> None:
        self._catalog = catalog
        self._sessions = sessions
        self._repositories = repositories
        self._points = points
        self._journal = journal
        self._clock = clock
        self._taken_in = taken_in
        self._lock = threading.Lock()

    # --- looking -------------------------------------------------------------------------------------------------

    @handles(InspectTakeOver)
    def _inspect(self, query: InspectTakeOver) -> tuple[FoundConsole, ...]:
        """Return what other consoles have at a standby machine.

        Raises:
            StandbyUnknown: it is not registered.
            OperationalError: it cannot be read, or is locked.
        """
        standby = registered_standby(self._catalog.standbys, query.standby)
        copies = self._copies(standby)
        found = [self._found(standby, mark, group) for mark, group in copies.items()]
        loose = self._loose(standby, copies)
        if loose:
            found.append(
                FoundConsole(
                    console="",
                    host="",
                    seen_at=None,
                    is_at_work=False,
                    taken_by="",
                    rules=tuple(self._found_rule(standby, entry, is_defined=False) for entry in loose),
                )
            )
        return tuple(found)

    def _copies(self, standby: Standby) -> dict[str, list[_At]]:
        """Return the copies of other consoles at a standby, by their marks.

        One that took this console over is among them also where it left no copy: it can be taken over in turn.
        """
        found: dict[str, list[_At]] = {}
        for target_path in sorted(self._catalog.standbys.repositories(standby.id)):
            with self._repositories.lease(standby.id, target_path) as repository:
                hosts = repository.other_hosts()
                copies = repository.consoles.listing()
                taken = repository.consoles.taken_over()
                if taken is not None and all(copy.console != taken.by for copy in copies):
                    copies = (*copies, _empty_copy(taken))
                for copy in copies:
                    configuration = _readable(copy.rules)
                    if not copy.is_ours and configuration is not None:
                        found.setdefault(copy.console, []).append(
                            _At(target_path, copy, configuration, copy.host in hosts)
                        )
        return found

    def _found(self, standby: Standby, mark: str, group: list[_At]) -> FoundConsole:
        newest = max(group, key=lambda at: at.copy.written_at).copy
        taken = [at.copy.taken for at in group]
        return FoundConsole(
            console=mark,
            host=newest.host,
            seen_at=newest.written_at,
            is_at_work=any(at.is_at_work for at in group),
            taken_by=next((one.host for one in taken if one is not None), "") if all(taken) else "",
            rules=tuple(
                self._found_rule(standby, entry, is_defined=True, configuration=at.configuration)
                for at in group
                for entry in _rules_at(at)
            ),
        )

    def _found_rule(
        self, standby: Standby, entry: RuleEntry, *, is_defined: bool, configuration: Configuration | None = None
    ) -> FoundRule:
        platform = self._platform_of(entry, configuration)
        known = None if platform is None else self._catalog.platforms.get(platform)
        mine = self._catalog.points.tallies(standby.id, rule_name=entry.name)
        tallies = [tally for tally in mine if tally.target_path == entry.target_path]
        return FoundRule(
            name=entry.name,
            target_path=entry.target_path,
            vms=tuple(vm.name for vm in entry.vms),
            platform_address=_address(entry, configuration),
            platform_name=None if known is None else known.name,
            points=sum(tally.count for tally in tallies),
            newest=max((tally.newest for tally in tallies), default=None),
            is_defined=is_defined,
            is_here=any(rule.name.casefold() == entry.name.casefold() for rule in self._catalog.rules.all()),
        )

    def _loose(self, standby: Standby, copies: Mapping[str, list[_At]]) -> tuple[RuleEntry, ...]:
        """Return rules that are known from points only: no copy and no rule here names them."""
        named = {
            (at.target_path, entry.name.casefold())
            for group in copies.values()
            for at in group
            for entry in _rules_at(at)
        }
        named |= {
            (rule.target_path, rule.name.casefold())
            for rule in self._catalog.rules.all()
            if rule.standby == standby.id
        }
        return rules_of_points(self._catalog.points, standby, named)

    # --- taking --------------------------------------------------------------------------------------------------

    @handles(TakeOver)
    def _take_over(self, command: TakeOver) -> TakeOverReport:
        """Stop a console from writing to a standby machine, and adopt its rules.

        It is stopped first: a crash in between leaves nobody who writes, and the operator takes over again.

        Raises:
            StandbyUnknown, ConsoleNotThere, TakeOverNotConfirmed, PlatformsMissing: nothing is changed.
            OperationalError: the standby refuses, or the catalog; take over again.
        """
        with self._lock:
            standby = registered_standby(self._catalog.standbys, command.standby)
            group = self._copies(standby)
            chosen = group.get(command.console, [])
            if command.console and not chosen:
                raise ConsoleNotThere(standby=standby.name)
            host = _found_host(chosen) or standby.name
            if command.confirmation.strip().casefold() != host.casefold():
                raise TakeOverNotConfirmed(name=host)
            entries = self._entries(command, standby, group, chosen)
            adopted, left = self._adoptable(standby, entries)
            for at in chosen:
                with self._repositories.lease(standby.id, at.target_path) as repository:
                    repository.take_over(command.console)
            rules = [stopped_rule(rule) for rule in adopted] if command.stopped else adopted
            if rules:
                self._catalog.intake.take_in(Intake(rules=tuple(rules)), self._clock.now())
            points = sum(self._points.agree(standby.id, path).count for path in _paths(self._catalog, standby))
        names = tuple(rule.name for rule in rules)
        log = self._journal.about(standby.name, "standby.take_over")
        log.warning(messages.TAKEN_OVER, host=host, rules=", ".join(names))
        self._taken_in()
        return TakeOverReport(repositories=len(chosen), adopted=names, left=tuple(left), points=points)

    def _entries(
        self, command: TakeOver, standby: Standby, copies: Mapping[str, list[_At]], chosen: list[_At]
    ) -> list[tuple[RuleEntry, Configuration | None]]:
        if chosen:
            return [(entry, at.configuration) for at in chosen for entry in _rules_at(at)]
        if command.daily_at is None:
            return []
        daily_at = _time_of_day(command.daily_at)
        loose = self._loose(standby, copies)
        return [(scheduled(entry, daily_at, command.keep_days), None) for entry in loose]

    def _adoptable(
        self, standby: Standby, entries: list[tuple[RuleEntry, Configuration | None]]
    ) -> tuple[list[BackupRule], list[str]]:
        """Return the rules that can be here, and the names of those that cannot.

        Raises:
            PlatformsMissing: none can, for want of a platform.
        """
        known = Known(rules=self._catalog.rules.all())
        here = {rule.name.casefold() for rule in known.rules}
        adopted: list[BackupRule] = []
        left: list[str] = []
        missing: tuple[str, str] | None = None
        for entry, configuration in entries:
            platform = self._platform_of(entry, configuration)
            if platform is None:
                missing = missing or (entry.name, _address(entry, configuration))
                left.append(entry.name)
                continue
            own = Known(rules=(*known.rules, *adopted))
            one = Configuration(made_at=self._clock.now(), program="", host="", rules=(entry,))
            taken = compare_rules(
                one, own, Collected({}), {entry.platform: platform}, {entry.standby: standby.id}
            ).taken
            adopted += taken
            if not taken:
                left.append(entry.name)
        if missing is not None and not adopted and not any(name.casefold() in here for name in left):
            raise PlatformsMissing(rule=missing[0], address=missing[1])
        return adopted, left

    def _platform_of(self, entry: RuleEntry, configuration: Configuration | None) -> PlatformId | None:
        """Return the registered platform that a rule backs up, by its UUID, else by its addresses."""
        named = next(
            (one for one in (configuration.platforms if configuration else ()) if one.id == entry.platform), None
        )
        uuids = {vm.platform_uuid for vm in entry.vms if vm.platform_uuid}
        recorded = PlatformIdentity(
            address=entry.platform if named is None else named.address,
            instance_uuid=uuids.pop() if len(uuids) == 1 else None,
            former_addresses=() if named is None else named.former_addresses,
        )
        return origin_among(recorded, self._sessions.identities())


def _time_of_day(text: str) -> time:
    """Read HH:MM.

    Raises:
        RequestRefused: it is none.
    """
    try:
        moment = time.fromisoformat(text)
    except ValueError as error:
        raise RequestRefused(detail=NO_TIME_OF_DAY.fill(text=text)) from error
    if moment.tzinfo is not None or moment.second or moment.microsecond:
        raise RequestRefused(detail=NO_TIME_OF_DAY.fill(text=text))
    return moment


def _rules_at(at: _At) -> Iterator[RuleEntry]:
    yield from (entry for entry in at.configuration.rules if entry.target_path == at.target_path)


def _readable(rules: bytes) -> Configuration | None:
    """Read a copy; None where it is not what a console writes. Commands in it are nobody's here."""
    try:
        found = msgspec.json.decode(rules, type=Configuration)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return msgspec.structs.replace(
        found, rules=tuple(msgspec.structs.replace(entry, hooks=None) for entry in found.rules), hooks=None
    )


def _empty_copy(taken: TakenOver) -> ConsoleCopy:
    nothing = Configuration(made_at=taken.at, program="", host=taken.host)
    return ConsoleCopy(
        console=taken.by,
        host=taken.host,
        written_at=taken.at,
        rules=msgspec.json.encode(nothing),
        is_ours=False,
        taken=None,
    )


def _address(entry: RuleEntry, configuration: Configuration | None) -> str:
    platforms = configuration.platforms if configuration else ()
    return next((one.address for one in platforms if one.id == entry.platform), entry.platform)


def _found_host(group: list[_At]) -> str:
    return max(group, key=lambda at: at.copy.written_at).copy.host if group else ""


def _paths(catalog: Catalog, standby: Standby) -> list[str]:
    return sorted(catalog.standbys.repositories(standby.id))
