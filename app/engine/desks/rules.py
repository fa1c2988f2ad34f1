"""Backup rules."""

from collections.abc import Mapping

from app.domain.ids import TaskId
from app.engine import commands as c
from app.engine import queries as q
from app.engine.desks import Handler
from app.engine.executor import Executor
from app.engine.jobs import Workshop
from app.engine.rules.book import RuleBook, members
from app.engine.rules.drafts import DraftChecker, policy_of
from app.engine.rules.group import GroupRestorer
from app.engine.rules.points import RulePoints
from app.engine.rules.retention import RetentionKeeper
from app.engine.rules.retries import Retries
from app.engine.rules.runs import RuleRuns
from app.engine.rules.scheduler import Scheduler
from app.engine.rules.view import RuleView
from app.engine.taskmanager import TaskManager


class RulesDesk:
    """Answers about backup rules. Thread: any."""

    def __init__(
        self,
        workshop: Workshop,
        manager: TaskManager,
        executor: Executor,
        *,
        runs: RuleRuns,
        scheduler: Scheduler,
        retention: RetentionKeeper,
        retries: Retries,
        engine: str,
    ) -> None:
        self._workshop = workshop
        self._runs = runs
        self._retention = retention
        self._book = RuleBook(workshop, manager, runs, retries, scheduler.replan)
        self._checker = DraftChecker(workshop)
        self._group = GroupRestorer(workshop, manager, executor)
        self._points = RulePoints(workshop)
        self._view = RuleView(workshop, manager, scheduler, engine, retries)

    def handlers(self) -> Mapping[type, Handler]:
        """Return who answers what."""
        book, view = self._book, self._view
        return {
            c.CreateRule: lambda command: book.create(command.draft),
            c.ChangeRulePolicy: lambda command: book.change_policy(command.rule, command.policy),
            c.ChangeRuleRetry: lambda command: book.change_retry(command.rule, command.retry),
            c.AddVmsToRule: lambda command: book.add_vms(command.rule, command.vms),
            c.RemoveVmsFromRule: lambda command: book.remove_vms(
                command.rule, command.vms, delete_data=command.delete_data
            ),
            c.DeleteRule: lambda command: book.delete(command.rule, delete_data=command.delete_data),
            c.StartRules: self._start_rules,
            c.StopRules: self._stop_rules,
            c.StartVms: lambda command: book.start(command.rule, command.vms),
            c.StopVms: lambda command: book.stop(command.rule, command.vms),
            c.RunNow: self._run_now,
            c.StartGroupRestore: lambda command: self._group.begin(
                book.rule(command.rule), command.members, power_on=command.power_on
            ),
            q.ListRules: lambda _: view.rules(),
            q.ListRuleVms: lambda query: view.vms(book.rule(query.rule)),
            q.ListVmPoints: lambda query: self._points.of_vm(book.rule(query.rule), query.vm),
            q.DescribeRule: lambda query: view.details(book.rule(query.rule)),
            q.CheckRule: lambda query: self._checker.problems(query.draft, query.rule),
            q.VmsInRules: lambda query: self._checker.vms_taken(query.platform),
            q.PreviewRuleDeletion: lambda query: book.preview_deletion(query.rule, query.vms),
            q.PreviewRetention: self._preview_retention,
        }

    def _start_rules(self, command: c.StartRules) -> None:
        for rule in [self._book.rule(one).id for one in command.rules]:
            self._book.start(rule)

    def _stop_rules(self, command: c.StopRules) -> None:
        for rule in [self._book.rule(one).id for one in command.rules]:
            self._book.stop(rule)

    def _run_now(self, command: c.RunNow) -> tuple[TaskId, ...]:
        rule = self._book.rule(command.rule)
        return self._runs.run_now(rule, members(rule, command.vms or None), command.kind)

    def _preview_retention(self, query: q.PreviewRetention) -> tuple[q.PreviewedDay, ...]:
        policy = policy_of(query.policy, self._workshop.clock.now())
        return self._retention.preview(policy, query.days, query.rule, query.vm)
