"""Backup rules."""

from collections.abc import Mapping

from app.contract.restore import StartGroupRestore
from app.contract.rules import (
    AddVmsToRule,
    ChangeRulePolicy,
    ChangeRuleRetry,
    CheckRule,
    CreateRule,
    DeleteRule,
    DescribeRule,
    ListRules,
    ListRuleVms,
    ListVmPoints,
    PreviewedDay,
    PreviewRetention,
    PreviewRuleDeletion,
    RemoveVmsFromRule,
    RunNow,
    StartRules,
    StartVms,
    StopRules,
    StopVms,
    VmsInRules,
)
from app.domain.ids import TaskId
from app.engine.handlers import Handler
from app.engine.rules.drafts import DraftChecker, policy_of
from app.engine.rules.editing import RuleEditor, members
from app.engine.rules.group import GroupRestorer
from app.engine.rules.points import RulePoints
from app.engine.rules.retention import RetentionService
from app.engine.rules.retries import Retries
from app.engine.rules.runs import RuleRuns
from app.engine.rules.scheduler import Scheduler
from app.engine.rules.view import RuleView
from app.engine.tasks.executor import Executor
from app.engine.tasks.job import Workshop
from app.engine.tasks.manager import TaskManager


class RuleHandlers:
    """Answers about backup rules. Thread: any."""

    def __init__(
        self,
        workshop: Workshop,
        manager: TaskManager,
        executor: Executor,
        *,
        runs: RuleRuns,
        scheduler: Scheduler,
        retention: RetentionService,
        retries: Retries,
        engine: str,
    ) -> None:
        self._workshop = workshop
        self._runs = runs
        self._retention = retention
        self._book = RuleEditor(workshop, manager, runs, retries, scheduler.replan)
        self._checker = DraftChecker(workshop)
        self._group = GroupRestorer(workshop, manager, executor)
        self._points = RulePoints(workshop)
        self._view = RuleView(workshop, manager, scheduler, engine, retries)

    def handlers(self) -> Mapping[type, Handler]:
        """Return who answers what."""
        book, view = self._book, self._view
        return {
            CreateRule: lambda command: book.create(command.draft),
            ChangeRulePolicy: lambda command: book.change_policy(command.rule, command.policy),
            ChangeRuleRetry: lambda command: book.change_retry(command.rule, command.retry),
            AddVmsToRule: lambda command: book.add_vms(command.rule, command.vms),
            RemoveVmsFromRule: lambda command: book.remove_vms(
                command.rule, command.vms, delete_data=command.delete_data
            ),
            DeleteRule: lambda command: book.delete(command.rule, delete_data=command.delete_data),
            StartRules: self._start_rules,
            StopRules: self._stop_rules,
            StartVms: lambda command: book.start(command.rule, command.vms),
            StopVms: lambda command: book.stop(command.rule, command.vms),
            RunNow: self._run_now,
            StartGroupRestore: lambda command: self._group.begin(
                book.rule(command.rule), command.members, power_on=command.power_on
            ),
            ListRules: lambda _: view.rules(),
            ListRuleVms: lambda query: view.vms(book.rule(query.rule)),
            ListVmPoints: lambda query: self._points.of_vm(book.rule(query.rule), query.vm),
            DescribeRule: lambda query: view.details(book.rule(query.rule)),
            CheckRule: lambda query: self._checker.problems(query.draft, query.rule),
            VmsInRules: lambda query: self._checker.vms_taken(query.platform),
            PreviewRuleDeletion: lambda query: book.preview_deletion(query.rule, query.vms),
            PreviewRetention: self._preview_retention,
        }

    def _start_rules(self, command: StartRules) -> None:
        for rule in [self._book.rule(one).id for one in command.rules]:
            self._book.start(rule)

    def _stop_rules(self, command: StopRules) -> None:
        for rule in [self._book.rule(one).id for one in command.rules]:
            self._book.stop(rule)

    def _run_now(self, command: RunNow) -> tuple[TaskId, ...]:
        rule = self._book.rule(command.rule)
        return self._runs.run_now(rule, members(rule, command.vms or None), command.kind)

    def _preview_retention(self, query: PreviewRetention) -> tuple[PreviewedDay, ...]:
        policy = policy_of(query.policy, self._workshop.clock.now())
        return self._retention.preview(policy, query.days, query.rule, query.vm)
