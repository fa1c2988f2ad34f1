"""What is wrong with a rule or a policy, as messages: next to the fields of the editor, and in errors."""

from collections.abc import Mapping
from typing import Final

from app.domain.messages import Message, MessageKind, Param
from app.domain.policies import PlanProblem
from app.domain.proofs import ProofProblem
from app.domain.rules import RuleProblem

_KINDS: Final[Mapping[RuleProblem | PlanProblem | ProofProblem, MessageKind]] = {
    RuleProblem.NAME_MISSING: MessageKind("problem.name_missing", "Enter a name for the rule."),
    RuleProblem.NAME_TOO_LONG: MessageKind("problem.name_too_long", "The name has more than 64 characters."),
    RuleProblem.NAME_TAKEN: MessageKind("problem.name_taken", "Another rule has the name {value}."),
    RuleProblem.NAME_UNPRINTABLE: MessageKind(
        "problem.name_unprintable", "The name has characters that cannot be shown."
    ),
    RuleProblem.NO_VM: MessageKind("problem.no_vm", "Choose at least one VM."),
    RuleProblem.VM_IN_OTHER_RULE: MessageKind(
        "problem.vm_in_other_rule", "A chosen VM is in the rule {value} already."
    ),
    RuleProblem.VM_TWICE: MessageKind("problem.vm_twice", "The VM {value} is chosen twice."),
    RuleProblem.TARGET_PATH_MISSING: MessageKind("problem.target_path_missing", "Choose the target path."),
    RuleProblem.TARGET_PATH_REFUSED: MessageKind("problem.target_path_refused", "{value}"),
    RuleProblem.TARGET_INSIDE_REPOSITORY: MessageKind(
        "problem.target_inside_repository", "The target path is inside of the repository in {value}."
    ),
    RuleProblem.PLATFORM_UNKNOWN: MessageKind(
        "problem.platform_unknown", "The virtual platform is not registered any more."
    ),
    RuleProblem.STANDBY_UNKNOWN: MessageKind(
        "problem.standby_unknown", "The standby machine is not registered any more."
    ),
    PlanProblem.NO_TIME: MessageKind("problem.no_time", "Add at least one run time."),
    PlanProblem.TIME_TWICE: MessageKind("problem.time_twice", "The same run time is there twice."),
    PlanProblem.NO_WEEKDAY: MessageKind("problem.no_weekday", "Check at least one weekday."),
    PlanProblem.MONTH_DAY_OUT_OF_RANGE: MessageKind("problem.month_day", "A month has the days 1 to 31."),
    PlanProblem.QUARTER_MONTH_OUT_OF_RANGE: MessageKind(
        "problem.quarter_month", "A quarter has the months 1 to 3."
    ),
    PlanProblem.NO_PLAN: MessageKind("problem.no_plan", "Add at least one plan."),
    PlanProblem.RETENTION_OUT_OF_RANGE: MessageKind("problem.retention", "Enter a whole number from 1 to 64."),
    PlanProblem.COUNT_OUT_OF_RANGE: MessageKind("problem.count", "Enter a whole number from 0 to 1000."),
    PlanProblem.RETRY_OUT_OF_RANGE: MessageKind("problem.retry", "Enter 0 to 10 tries, 1 to 1440 minutes apart."),
    PlanProblem.START_BEFORE_TODAY: MessageKind(
        "problem.start_before_today",
        "The start must not be before today; a time that has passed today means now.",
    ),
    ProofProblem.DAYS_OUT_OF_RANGE: MessageKind("problem.proof_days", "Enter a number of days from 1 to 90."),
    ProofProblem.TIME_ZONED: MessageKind("problem.proof_time", "The time of day must have no time zone."),
    ProofProblem.LIMIT_OUT_OF_RANGE: MessageKind(
        "problem.proof_limit", "Enter a time limit from 1 to 240 minutes."
    ),
    ProofProblem.CPUS_OUT_OF_RANGE: MessageKind("problem.proof_cpus", "Enter a number of CPUs from 1 to 64."),
    ProofProblem.MEMORY_OUT_OF_RANGE: MessageKind(
        "problem.proof_memory", "Enter a memory size from 128 MB to 1 TB that is a multiple of 4 MB."
    ),
    ProofProblem.AT_ONCE_OUT_OF_RANGE: MessageKind(
        "problem.proof_at_once", "Enter how many run at the same time, from 1 to 16."
    ),
    ProofProblem.BUDGET_OUT_OF_RANGE: MessageKind(
        "problem.proof_budget", "The minutes per day must be from the time limit of one proof to 1440."
    ),
    ProofProblem.WARNING_OUT_OF_RANGE: MessageKind(
        "problem.proof_warning", "Enter a number of days from 0 to 365; 0 switches the warning off."
    ),
}
_BY_CODE: Final = {problem.value: kind for problem, kind in _KINDS.items()}
UNKNOWN_PROBLEM: Final = MessageKind("problem.unknown", "This cannot be used: {code}")


def problem_message(code: str, value: Param = "") -> Message:
    """Return what is wrong; a code of another version of the program is named as it is.

    Args:
        code: the value of a ``RuleProblem``, ``PlanProblem`` or ``ProofProblem``.
        value: what it is about, such as the name of the other rule.
    """
    kind = _BY_CODE.get(code)
    return UNKNOWN_PROBLEM.fill(code=code) if kind is None else kind.fill(value=value)
