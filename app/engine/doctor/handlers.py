"""The doctor: examining platforms, and rules before and after they are created."""

from collections.abc import Callable
from functools import partial

from app import __version__
from app.contract.doctor import ExaminePlatform, ExamineRule, Finding, ReportPlatform
from app.core.clock import Clock
from app.domain.errors import OperationalError
from app.domain.identity import RecordedVm
from app.domain.ids import RuleId
from app.domain.platforms import Platform, PlatformIdentity
from app.domain.rules import BackupRule, ProtectedVm
from app.engine.doctor.platform import Examination, Looks, PortProbe, examine_platform, resolve
from app.engine.doctor.report import blurred, names_in, report_text
from app.engine.doctor.rule import examine_rule
from app.engine.errors import RequestRefused
from app.engine.handlers import handles
from app.engine.platforms.identification import recorded_for_backup
from app.engine.platforms.probing import ModeTrial
from app.engine.platforms.sessions import Sessions
from app.engine.ports import Catalog
from app.engine.reasons import NEITHER_RULE_NOR_DRAFT
from app.engine.rules.drafts import rule_of
from app.engine.rules.errors import RuleUnknown
from app.engine.rules.points import RulePoints
from app.engine.standbys.repositories import Repositories


class DoctorHandlers:
    """Answers what the doctor is asked. Thread: any."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        repositories: Repositories,
        points: RulePoints,
        catalog: Catalog,
        clock: Clock,
        probe: PortProbe,
        trial: ModeTrial,
        serving: Callable[[], OperationalError | None],
    ) -> None:
        self._serving = serving
        self._sessions = sessions
        self._repositories = repositories
        self._points = points
        self._catalog = catalog
        self._clock = clock
        self._probe = probe
        self._trial = trial

    @handles(ExaminePlatform)
    def _examine_platform(self, query: ExaminePlatform) -> tuple[Finding, ...]:
        platform = self._sessions.platform(query.platform)
        return tuple(self._examined(platform).findings)

    @handles(ReportPlatform)
    def _report_platform(self, query: ReportPlatform) -> str:
        platform = self._sessions.platform(query.platform)
        found = self._examined(platform)
        text = report_text(f"Standfast {__version__}", self._clock.now(), platform, found)
        return blurred(text, names_in(platform, found)) if query.blurs_names else text

    def _examined(self, platform: Platform) -> Examination:
        looks = Looks(
            probe=self._probe,
            resolve=resolve,
            trial=self._trial.on(platform.id),
            serving=self._serving,
            now=self._clock.now,
        )
        return examine_platform(platform, partial(self._sessions.connect, platform.id), looks)

    @handles(ExamineRule)
    def _examine_rule(self, query: ExamineRule) -> tuple[Finding, ...]:
        rule = self._rule_of(query)
        return examine_rule(
            rule,
            partial(self._sessions.connect, rule.platform),
            self._catalog.standbys.get(rule.standby),
            self._probe,
            self._repositories.encryption_problem,
            identity_of=partial(self._sessions.identity, rule.platform),
            recorded_of=partial(self._recorded, rule),
        )

    def _rule_of(self, query: ExamineRule) -> BackupRule:
        if query.draft is not None:
            return rule_of(query.draft, query.rule or RuleId(""), self._clock.now())
        if query.rule is None:
            raise RequestRefused(detail=NEITHER_RULE_NOR_DRAFT)
        known = self._catalog.rules.get(query.rule)
        if known is None:
            raise RuleUnknown(rule=query.rule)
        return known

    def _recorded(self, rule: BackupRule, vm: ProtectedVm, here: PlatformIdentity) -> RecordedVm:
        points = [known.point for known in self._points.of_vm(rule, vm.vm)]
        return recorded_for_backup(vm, vm.vm, vm.name, here, points)
