"""恢复验证 by hand: proves one restore point of a VM."""

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QComboBox, QWidget

from app.contract.proofs import StartProof
from app.contract.rules import DescribeRule, ListRules, RuleDetails, RuleRow
from app.domain.display import visible
from app.domain.proofs import ProofPolicy, ProofProblem
from app.domain.tasks import KnownPoint
from app.views import style
from app.views.backup.policy_words import problem_text
from app.views.console import Console
from app.views.proof.limits import ProofLimits
from app.views.proof.place import ProofPlace
from app.views.restore.points import tried_title
from app.views.widgets.banner import Banner
from app.views.widgets.form import Field, FormDialog, grow_later
from app.views.widgets.opening import open_once
from app.views.widgets.plain import Label
from app.workers.answers import Failure

_RELEVANT = (ProofProblem.LIMIT_OUT_OF_RANGE, ProofProblem.CPUS_OUT_OF_RANGE, ProofProblem.MEMORY_OUT_OF_RANGE)


class ProveDialog(FormDialog):
    """Queues the proof of a restore point, with the limits of its rule until others are entered. Thread: GUI."""

    def __init__(self, console: Console, points: Sequence[KnownPoint], parent: QWidget | None = None) -> None:
        """Prepare.

        Args:
            console: sends the command.
            points: of one VM in one rule, at least one; the first is chosen.
            parent: of the dialog.
        """
        facts = points[0].point.facts
        title = QCoreApplication.translate("ProveDialog", "Prove that {vm} can be restored")
        action = QCoreApplication.translate("ProveDialog", "Start proof")
        super().__init__(console, title.format(vm=visible(facts.name)), action, parent)
        self._is_limited_by_hand = self._is_placed_by_hand = False
        self._points = tuple(points)
        self.setMinimumWidth(style.DIALOG_WIDTH)
        self._build_meaning()
        self._build_fields(points)
        grow_later(self)
        console.door.ask(ListRules(), owner=self, on_done=self._on_rules, on_failed=_without)

    def _build_meaning(self) -> None:
        words = self.tr(
            "The VM is started from the restore point, without a network, until its system has come up, and is "
            "taken away again. Where it cannot be started, its file systems are read instead."
        )
        text = Label(words, self)
        text.setProperty("role", "secondary")
        text.setWordWrap(True)
        self.body.addWidget(text)

    def _build_fields(self, points: Sequence[KnownPoint]) -> None:
        form = self.add_form()
        self.point = QComboBox(self)
        for known in points:
            self.point.addItem(visible(tried_title(known)))
        self.add_field(form, self.tr("Restore point"), self.point, required=True)
        self.place = ProofPlace(self.console, self.tr("As the rule says, else where it was backed up"), self)
        self.place.show_usual(points[0].platform)
        self.place.edited.connect(self._on_placed)
        self.add_field(form, self.tr("Started on"), self.place.platform)
        self.add_field(
            form,
            self.tr("Host"),
            self.place.host,
            help_text=self.tr(
                "It mounts a datastore of this machine, and has to reach it at the TCP ports 111 and 2049."
            ),
        )
        self.limits = ProofLimits(self)
        self.limits.show_policy(ProofPolicy())
        self.limits.edited.connect(self._on_limited)
        words = self.tr("A VM never gets more than it had.")
        self.limits_field = self.add_field(form, self.tr("At most"), self.limits, help_text=words)

    # --- what the rule says -----------------------------------------------------------------------------------

    def _on_rules(self, rules: Sequence[RuleRow]) -> None:
        first = self._points[0]
        place = (first.standby, first.target_path, first.point.rule_name)
        rule = next((rule for rule in rules if (rule.standby, rule.target_path, rule.name) == place), None)
        if rule is not None:
            query = DescribeRule(rule=rule.id)
            self.console.door.ask(query, owner=self, on_done=self._on_described, on_failed=_without)

    def _on_described(self, details: RuleDetails) -> None:
        """Show what the rule says where nothing else was entered meanwhile."""
        policy = details.draft.proof
        if not self._is_limited_by_hand:
            self.limits.show_policy(policy)
            self._is_limited_by_hand = False
        if not self._is_placed_by_hand:
            self.place.show_choice(policy.platform, policy.host)

    def _on_limited(self) -> None:
        self._is_limited_by_hand = True
        self._typing.restart()

    def _on_placed(self) -> None:
        self._is_placed_by_hand = True

    # --- what is entered --------------------------------------------------------------------------------------

    def problems(self) -> dict[Field, str]:
        """Return what is wrong with the limits."""
        found = [problem for problem in self.limits.limiting(ProofPolicy()).problems() if problem in _RELEVANT]
        return {self.limits_field: problem_text(found[0].value)} if found else {}

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Queue the proof."""
        known = self._points[self.point.currentIndex()]
        wanted = self.limits.limiting(ProofPolicy())
        command = StartProof(
            standby=known.standby,
            target_path=known.target_path,
            point=known.point.id,
            platform=self.place.platform_id,
            host=self.place.host_value if self._is_placed_by_hand else None,
            limit_min=wanted.limit_min,
            cpus=wanted.cpus,
            memory_mib=wanted.memory_mib,
        )
        self.console.door.execute(command, owner=self, on_done=on_done, on_failed=on_failed)


def ask_to_prove(console: Console, points: Sequence[KnownPoint], banner: Banner, owner: QWidget) -> None:
    """Ask which of some points of a VM is to be proven, and say in a banner when that was queued."""
    banner.hide()
    dialog = ProveDialog(console, points, owner)
    words = QCoreApplication.translate("ProveDialog", "The proof was queued; see the tasks.")
    dialog.succeeded.connect(partial(banner.show_text, words))
    open_once(dialog)


def _without(_failure: Failure) -> None:
    """Without the rule the usual limits are offered; the engine takes the place that the rule says."""
