"""Backup rules."""

from app.contract.restore import StartGroupRestore
from app.contract.rules import (
    AddVmsToRule,
    ChangeRulePolicy,
    ChangeRuleProof,
    ChangeRuleRetry,
    CheckRule,
    CreateRule,
    DeleteRule,
    DeletionPreview,
    DescribeRule,
    ListRules,
    ListRuleVms,
    ListVmPoints,
    PreviewedDay,
    PreviewRetention,
    PreviewRuleDeletion,
    RemoveVmsFromRule,
    RuleDetails,
    RuleProblemRow,
    RuleRow,
    RuleVmRow,
    RunNow,
    StartRules,
    StartVms,
    StopRules,
    StopVms,
    VmsInRules,
)
from app.core.clock import Clock
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.tasks import KnownPoint
from app.engine.handlers import handles
from app.engine.rules.drafts import DraftChecker, policy_of
from app.engine.rules.editing import RuleEditor, members
from app.engine.rules.group import GroupRestorer
from app.engine.rules.points import RulePoints
from app.engine.rules.retention import RetentionService
from app.engine.rules.runs import RuleRuns
from app.engine.rules.view import RuleView


class RuleHandlers:
    """Answers about backup rules. Thread: any."""

    def __init__(
        self,
        *,
        editor: RuleEditor,
        checker: DraftChecker,
        runs: RuleRuns,
        group: GroupRestorer,
        points: RulePoints,
        view: RuleView,
        retention: RetentionService,
        clock: Clock,
    ) -> None:
        self._editor = editor
        self._checker = checker
        self._runs = runs
        self._group = group
        self._points = points
        self._view = view
        self._retention = retention
        self._clock = clock

    # --- commands ------------------------------------------------------------------------------------------------

    @handles(CreateRule)
    def _create_rule(self, command: CreateRule) -> RuleId:
        return self._editor.create(command.draft)

    @handles(ChangeRulePolicy)
    def _change_policy(self, command: ChangeRulePolicy) -> None:
        self._editor.change_policy(command.rule, command.policy)

    @handles(ChangeRuleRetry)
    def _change_retry(self, command: ChangeRuleRetry) -> None:
        self._editor.change_retry(command.rule, command.retry)

    @handles(ChangeRuleProof)
    def _change_proof(self, command: ChangeRuleProof) -> None:
        self._editor.change_proof(command.rule, command.proof)

    @handles(AddVmsToRule)
    def _add_vms(self, command: AddVmsToRule) -> None:
        self._editor.add_vms(command.rule, command.vms)

    @handles(RemoveVmsFromRule)
    def _remove_vms(self, command: RemoveVmsFromRule) -> None:
        self._editor.remove_vms(command.rule, command.vms, delete_data=command.delete_data)

    @handles(DeleteRule)
    def _delete_rule(self, command: DeleteRule) -> None:
        self._editor.delete(command.rule, delete_data=command.delete_data)

    @handles(StartRules)
    def _start_rules(self, command: StartRules) -> None:
        for rule in [self._editor.rule(rule).id for rule in command.rules]:
            self._editor.start(rule)

    @handles(StopRules)
    def _stop_rules(self, command: StopRules) -> None:
        for rule in [self._editor.rule(rule).id for rule in command.rules]:
            self._editor.stop(rule)

    @handles(StartVms)
    def _start_vms(self, command: StartVms) -> None:
        self._editor.start(command.rule, command.vms)

    @handles(StopVms)
    def _stop_vms(self, command: StopVms) -> None:
        self._editor.stop(command.rule, command.vms)

    @handles(RunNow)
    def _run_now(self, command: RunNow) -> tuple[TaskId, ...]:
        rule = self._editor.rule(command.rule)
        return self._runs.run_now(rule, members(rule, command.vms or None), command.kind)

    @handles(StartGroupRestore)
    def _start_group_restore(self, command: StartGroupRestore) -> tuple[TaskId, ...]:
        rule = self._editor.rule(command.rule)
        return self._group.begin(rule, command.members, power_on=command.power_on)

    # --- queries -------------------------------------------------------------------------------------------------

    @handles(ListRules)
    def _list_rules(self, query: ListRules) -> tuple[RuleRow, ...]:
        return self._view.rules(query.ids)

    @handles(ListRuleVms)
    def _list_rule_vms(self, query: ListRuleVms) -> tuple[RuleVmRow, ...]:
        return self._view.vms(self._editor.rule(query.rule))

    @handles(ListVmPoints)
    def _list_vm_points(self, query: ListVmPoints) -> tuple[KnownPoint, ...]:
        return self._points.of_vm(self._editor.rule(query.rule), query.vm)

    @handles(DescribeRule)
    def _describe_rule(self, query: DescribeRule) -> RuleDetails:
        return self._view.details(self._editor.rule(query.rule))

    @handles(CheckRule)
    def _check_rule(self, query: CheckRule) -> tuple[RuleProblemRow, ...]:
        return self._checker.problems(query.draft, query.rule)

    @handles(VmsInRules)
    def _vms_in_rules(self, query: VmsInRules) -> dict[VmId, str]:
        return self._checker.vms_taken(query.platform)

    @handles(PreviewRuleDeletion)
    def _preview_deletion(self, query: PreviewRuleDeletion) -> DeletionPreview:
        return self._editor.preview_deletion(query.rule, query.vms)

    @handles(PreviewRetention)
    def _preview_retention(self, query: PreviewRetention) -> tuple[PreviewedDay, ...]:
        policy = policy_of(query.policy, self._clock.now())
        return self._retention.preview(policy, query.days, query.rule, query.vm)
