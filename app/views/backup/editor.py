"""The rule editor: 新建规则, 修改规则 (policy and proofs only) and 添加新虚机, in four tabs."""

from collections.abc import Callable
from enum import Enum

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QFormLayout, QWidget

from app.contract.rules import (
    AddVmsToRule,
    ChangeRulePolicy,
    ChangeRuleProof,
    CheckRule,
    CreateRule,
    RuleDetails,
    RuleDraft,
    RuleProblemRow,
    VmChoice,
)
from app.domain.ids import PlatformId, RuleId, StandbyId
from app.domain.proofs import ProofPolicy
from app.domain.rules import AdvancedSettings
from app.views import style
from app.views.backup.policy_words import problem_text
from app.views.backup.tab_advanced import AdvancedTab
from app.views.backup.tab_basic import BasicTab
from app.views.backup.tab_policy import PolicyTab, problem_place
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.proof.settings import ProofTab, proof_problem_place
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.question import Question
from app.views.widgets.tabs import form_tabs
from app.workers.answers import Failure


class EditorMode(Enum):
    """What the editor is opened for."""

    CREATE = "create"
    CHANGE_POLICY = "change_policy"
    ADD_VMS = "add_vms"


def _title(mode: EditorMode, details: RuleDetails | None) -> str:
    name = details.row.name if details else ""
    if mode is EditorMode.CREATE:
        return QCoreApplication.translate("RuleEditor", "Create a backup rule")
    if mode is EditorMode.CHANGE_POLICY:
        return QCoreApplication.translate("RuleEditor", "Change the rule {name}").format(name=name)
    return QCoreApplication.translate("RuleEditor", "Add VMs to the rule {name}").format(name=name)


def _action(mode: EditorMode) -> str:
    if mode is EditorMode.CREATE:
        return QCoreApplication.translate("RuleEditor", "Create rule")
    if mode is EditorMode.CHANGE_POLICY:
        return QCoreApplication.translate("RuleEditor", "Save policy")
    return QCoreApplication.translate("RuleEditor", "Add VMs")


class RuleEditor(FormDialog):
    """Makes a rule, changes its policy and its proofs, or adds VMs to it. Thread: GUI."""

    def __init__(
        self, console: Console, mode: EditorMode, details: RuleDetails | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(console, _title(mode, details), _action(mode), parent)
        assert (details is None) is (mode is EditorMode.CREATE)
        self.mode = mode
        self._details = details
        self._known_vms = {choice.vm for choice in details.draft.vms} if details else set()
        self._touched: set[Field] = set()
        self._refused: dict[Field, str] = {}
        self._check_question = Question(console.door, self)
        self._attempt = False
        self.resize(style.EDITOR_WIDTH, style.EDITOR_HEIGHT)
        self._build_tabs(details.draft if details else None)
        self._close_what_is_fixed()
        self._mark_tabs(set())

    # --- construction -----------------------------------------------------------------------------------------

    def _build_tabs(self, draft: RuleDraft | None) -> None:
        self.tabs = form_tabs(self)
        self.basic = BasicTab(self.console, draft, self._add_basic_field, self.tabs)
        self.advanced = AdvancedTab(draft.advanced if draft else AdvancedSettings(), self.tabs)
        vm = draft.vms[0].vm if draft and draft.vms else None
        subject = (self._details.row.id, vm) if self._details and vm else None
        self.policy = PolicyTab(self.console, draft.policy if draft else None, subject, self.tabs)
        self._fields.extend(self.policy.fields.values())
        self.tabs.addTab(self.basic, self.tr("Basic settings"))
        self.tabs.addTab(self.advanced, self.tr("Advanced settings"))
        self.tabs.addTab(self.policy, self.tr("Backup policy"))
        self.proof = ProofTab(self, draft.proof if draft else ProofPolicy(), self.tabs)
        self.proof.show_platform(draft.platform if draft else None)
        self.tabs.addTab(self.proof, self.tr("Proof of restore"))
        self.body.addWidget(self.tabs, 1)
        self.basic.edited.connect(self._on_basic_edited)
        self.basic.failed.connect(self.banner.show_failure)
        self.advanced.edited.connect(self._typing.restart)
        self.policy.edited.connect(self._on_policy_edited)
        self.proof.edited.connect(self._on_proof_edited)

    def _add_basic_field(self, form: QFormLayout, label: str, content: QWidget, *, required: bool) -> Field:
        return self.add_field(form, label, content, required=required)

    def _close_what_is_fixed(self) -> None:
        if self.mode is EditorMode.CREATE:
            return
        self.advanced.set_read_only()
        self.basic.set_read_only(but_vms=self.mode is EditorMode.ADD_VMS)
        if self.mode is EditorMode.CHANGE_POLICY:
            self.tabs.setCurrentWidget(self.policy)
        else:
            self.policy.set_read_only()
            self.proof.set_read_only()

    # --- what is entered --------------------------------------------------------------------------------------

    @property
    def draft(self) -> RuleDraft:
        """Return what is entered; what is not chosen yet is empty."""
        known = self._details.draft if self._details else None
        return RuleDraft(
            name=self.basic.name.text().strip(),
            platform=self.basic.platform_id or (known.platform if known else PlatformId("")),
            standby=self.basic.standby_id or (known.standby if known else StandbyId("")),
            target_path=self.basic.path.text().strip(),
            vms=self.basic.vms,
            advanced=self.advanced.settings,
            policy=self.policy.policy,
            proof=self.proof.policy,
        )

    def _local_problems(self) -> dict[Field, str]:
        found: dict[Field, str] = {}
        if self.mode is EditorMode.CREATE:
            found.update({self.basic.fields[key]: text for key, text in self.basic.problems().items()})
        if self.mode is EditorMode.ADD_VMS and not self._added():
            found[self.basic.fields["vms"]] = self.tr("Choose at least one VM that is not in the rule yet.")
        if self.mode is not EditorMode.ADD_VMS:
            found.update({self.policy.fields[key]: text for key, text in self.policy.problems().items()})
            found.update({self.proof.fields[key]: text for key, text in self.proof.problems().items()})
        return found

    def problems(self) -> dict[Field, str]:
        """Return what is wrong: what the window sees itself, then what the engine said."""
        return {**self._refused, **self._local_problems()}

    def show_problems(self) -> bool:
        """Write each problem below its field, mark the tabs, and go to the first on a failed attempt."""
        found = self.problems()
        wrong = [field for field in self._fields if field in found]
        seen = set(wrong) if self._complain else self._touched & set(wrong)
        self._mark_tabs({self._tab_of(field) for field in seen})
        if not self._complain:
            for field in self._fields:
                field.set_problem(found.get(field, "") if field in self._touched else "")
            return not found
        if wrong and self.tabs.currentIndex() not in {self._tab_of(field) for field in wrong}:
            self.tabs.setCurrentIndex(self._tab_of(wrong[0]))
        focused = self.focusWidget()
        complete = super().show_problems()
        if not complete and not self._attempt and focused is not None:
            # Only an attempt moves the focus; a message that appears while typing must not.
            focused.setFocus()
        return complete

    def accept(self) -> None:
        """Send the request when nothing is wrong."""
        self._attempt = True
        super().accept()
        self._attempt = False

    def _tab_of(self, field: Field) -> int:
        tabs = {0: self.basic.fields, 3: self.proof.fields}
        return next((place for place, fields in tabs.items() if field in fields.values()), 2)

    def _mark_tabs(self, wrong: set[int]) -> None:
        colors = self.console.colors
        for place in range(self.tabs.count()):
            is_wrong = place in wrong
            self.tabs.setTabIcon(place, icon(Glyph.ERROR, colors, colors.failed) if is_wrong else QIcon())
            self.tabs.setTabToolTip(place, self.tr("Something here has to be mended.") if is_wrong else "")

    # --- checking while typing --------------------------------------------------------------------------------

    def _on_basic_edited(self, key: str) -> None:
        field = self.basic.fields[key]
        self._touched.add(field)
        self._refused.pop(field, None)
        if key == "platform":
            self._refused.pop(self.basic.fields["vms"], None)
            self.proof.show_platform(self.basic.platform_id)
        self._typing.start()

    def _on_policy_edited(self) -> None:
        # Removing the last plan or a wrong number is reported at once; a new rule's empty table is not.
        if self.policy.plans or self.policy.fields["plans"] in self._touched:
            self._touched.add(self.policy.fields["plans"])
        self._touched.update((self.policy.fields["retention"], self.policy.fields["start"]))
        for field in self.policy.fields.values():
            self._refused.pop(field, None)
        self._typing.start()

    def _on_proof_edited(self) -> None:
        for field in self.proof.fields.values():
            self._touched.add(field)
            self._refused.pop(field, None)
        self._typing.start()

    def _on_typing_paused(self) -> None:
        self.show_problems()
        self._check()

    def _check(self) -> None:
        if self.mode is EditorMode.ADD_VMS:
            return
        rule = self._details.row.id if self._details else None
        query = CheckRule(draft=self.draft, rule=rule)
        self._check_question.ask_instead(query, self._show_refused, self._on_not_checked)

    def _on_not_checked(self, _failure: Failure) -> None:
        """The engine checks again when the rule is made; then its failure is shown."""

    def _show_refused(self, rows: tuple[RuleProblemRow, ...]) -> None:
        self._refused = {}
        seen_here = self._local_problems()
        for row in reversed(rows):
            field = self._field_of_problem(row)
            if field is not None and field not in seen_here:
                self._refused[field] = problem_text(row.code, row.value)
        self.show_problems()

    def _field_of_problem(self, row: RuleProblemRow) -> Field | None:
        if row.field == "policy":
            return self.policy.fields[problem_place(row.code)]
        if row.field == "proof":
            return self.proof.fields[proof_problem_place(row.code)]
        return self.basic.fields.get(row.field)

    # --- saving -----------------------------------------------------------------------------------------------

    def _added(self) -> tuple[VmChoice, ...]:
        return tuple(choice for choice in self.basic.vms if choice.vm not in self._known_vms)

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Make the rule, save the policy, or add the VMs."""

        def refused(failure: Failure) -> None:
            on_failed(failure)
            self._check()

        door = self.console.door
        if self._details is None:
            door.execute(CreateRule(draft=self.draft), owner=self, on_done=on_done, on_failed=refused)
        elif self.mode is EditorMode.CHANGE_POLICY:
            self._save(self._details.row.id, on_done, refused)
        else:
            add = AddVmsToRule(rule=self._details.row.id, vms=self._added())
            door.execute(add, owner=self, on_done=on_done, on_failed=refused)

    def _save(self, rule: RuleId, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Save how points are proven where that is different, then the policy; saving again does no harm."""
        door = self.console.door
        policy = ChangeRulePolicy(rule=rule, policy=self.policy.policy)

        def save_policy(_answer: object = None) -> None:
            door.execute(policy, owner=self, on_done=on_done, on_failed=on_failed)

        if self.proof.is_changed:
            proof = ChangeRuleProof(rule=rule, proof=self.proof.policy)
            door.execute(proof, owner=self, on_done=save_policy, on_failed=on_failed)
        else:
            save_policy()
