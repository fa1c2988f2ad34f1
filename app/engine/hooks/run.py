"""The operator's own commands before and after the backup of a VM. See ``docs/hooks.md``."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from app.core.context import TaskContext
from app.domain.errors import OperationalError, TaskCancelled
from app.domain.hooks import AllHooks, HookCommand, Hooks, command_words
from app.domain.messages import Message, MessageKind
from app.domain.reasons import reason_of
from app.engine.hooks.process import Outcome, run_command
from app.engine.ports import SettingsStore

BEFORE_STARTED = MessageKind("hook.before_started", "The command before the backup was started: {command}")
BEFORE_DONE = MessageKind("hook.before_done", "The command before the backup ended well")
BEFORE_AGAIN = MessageKind("hook.before_again", "The command before the backup failed ({reason}); it is run again")
BEFORE_FAILED = MessageKind("hook.before_failed", "The command before the backup failed: {reason}")
AFTER_STARTED = MessageKind("hook.after_started", "The command after the backup was started: {command}")
AFTER_DONE = MessageKind("hook.after_done", "The command after the backup ended well")
AFTER_AGAIN = MessageKind("hook.after_again", "The command after the backup failed ({reason}); it is run again")
AFTER_FAILED = MessageKind("hook.after_failed", "The command after the backup failed: {reason}")
HOOK_OUTPUT = MessageKind("hook.output", "Output of the command: {text}")
HOOK_OUTPUT_CUT = MessageKind("hook.output_cut", "The command wrote more; only its beginning is kept")

NOT_STARTED = MessageKind("hook.not_started", "it could not be started: {reason}")
TASK_WAS_STOPPED = MessageKind("hook.task_was_stopped", "the task was stopped")
TOOK_TOO_LONG = MessageKind("hook.took_too_long", "it took longer than {seconds} s")
EXIT_STATUS = MessageKind("hook.exit_status", "exit status {status}")

_DOCUMENT = "hooks"
_NEEDED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ"),
        *("PATHEXT", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "TEMP", "TMP", "USERPROFILE", "USERNAME"),
        *("APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)", "NUMBER_OF_PROCESSORS"),
    }
)
"""Variables of the engine's environment that its hooks see: places of the system and of the user."""
_MAX_LINES = 100


class HookVetoed(OperationalError):
    """The command before the backup failed, and may stop it."""

    code = "hook.vetoed"
    message_template = "The backup of {vm} was not made: the command {command} before it failed ({reason})."
    hint_template = "The log holds its output. Fix the command, or switch its veto off."
    retryable = True


class HooksNotReadable(OperationalError):
    """There are hooks, and which is not known."""

    code = "hook.not_readable"
    message_template = "The commands before and after backups cannot be read from the catalog."
    hint_template = "Enter them again in the settings: what is saved there takes their place."


def read_hooks(store: SettingsStore) -> AllHooks:
    """Return the hooks that are kept.

    Raises:
        HooksNotReadable: they are there and cannot be read; without them a backup might not be what it is for.
        OperationalError: the catalog cannot be read.
    """
    body = store.get(_DOCUMENT)
    try:
        return AllHooks() if body is None else msgspec.json.decode(body, type=AllHooks)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        store.note_unreadable(_DOCUMENT, str(error))
        raise HooksNotReadable from error


def keep_hooks(store: SettingsStore, hooks: AllHooks) -> None:
    """Keep other hooks.

    Raises:
        OperationalError: the catalog cannot be written.
    """
    store.put(_DOCUMENT, msgspec.json.encode(hooks).decode())


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSubject:
    """What a backup's hooks get as environment variables."""

    vm: str
    vm_name: str
    rule_name: str
    platform_name: str
    platform_address: str
    standby_name: str
    kind: str

    def variables(self, task: str) -> dict[str, str]:
        """Return the variables that are the same before and after."""
        return {
            "STANDFAST_TASK": task,
            "STANDFAST_VM": self.vm_name,
            "STANDFAST_VM_ID": self.vm,
            "STANDFAST_RULE": self.rule_name,
            "STANDFAST_PLATFORM": self.platform_name,
            "STANDFAST_PLATFORM_ADDRESS": self.platform_address,
            "STANDFAST_STANDBY": self.standby_name,
            "STANDFAST_KIND": self.kind,
        }


@dataclass(frozen=True, slots=True)
class _Phase:
    """One of the two moments, with the words for it."""

    name: str
    started: MessageKind
    done: MessageKind
    again: MessageKind
    failed: MessageKind


_BEFORE = _Phase("before", BEFORE_STARTED, BEFORE_DONE, BEFORE_AGAIN, BEFORE_FAILED)
_AFTER = _Phase("after", AFTER_STARTED, AFTER_DONE, AFTER_AGAIN, AFTER_FAILED)


class HookRunner:
    """Runs the hooks of one backup. Thread: the task's."""

    def __init__(self, hooks: Hooks, subject: HookSubject, context: TaskContext) -> None:
        self._hooks = hooks.switched_on()
        self._subject = subject
        self._context = context

    @contextmanager
    def around(self) -> Iterator[None]:
        """Run the one hook, then what is inside, then the other one, whatever became of what is inside.

        The hook after the backup is not run where the one before it forbade the backup.

        Raises:
            HookVetoed: the hook before failed, and may stop the backup.
            TaskCancelled: the operator stopped the task while the hook before ran.
        """
        self._before()
        try:
            yield
        except TaskCancelled:
            self._after("stopped")
            raise
        except OperationalError as error:
            self._after("failed", error)
            raise
        except BaseException:
            self._after("failed")
            raise
        self._after("completed")

    def _before(self) -> None:
        hook = self._hooks.before
        if hook is None:
            return
        reason = self._run(_BEFORE, hook, {})
        self._context.cancel.check()
        if reason is None:
            return
        if hook.veto:
            raise HookVetoed(vm=self._subject.vm_name, command=hook.arguments[0], reason=reason)
        self._context.log.warning(BEFORE_FAILED, reason=reason)

    def _after(self, result: str, error: OperationalError | None = None) -> None:
        hook = self._hooks.after
        if hook is None:
            return
        given = {"STANDFAST_RESULT": result}
        if error is not None:
            given |= {"STANDFAST_ERROR": error.code, "STANDFAST_ERROR_TEXT": error.message}
        # What a hook thawed in the guest has to be thawed also where the task was stopped: its limit still holds.
        reason = self._run(_AFTER, hook, given, ignores_cancel=self._context.cancel.is_cancelled)
        if reason is not None:
            self._context.log.warning(AFTER_FAILED, reason=reason)

    def _run(
        self, phase: _Phase, hook: HookCommand, given: Mapping[str, str], *, ignores_cancel: bool = False
    ) -> Message | None:
        """Run a hook as often as it needs and may; return why it failed in the end, or None."""
        log = self._context.log
        for attempt in range(hook.retries + 1):
            log.info(phase.started, command=command_words(hook.arguments))
            variables = {**given, "STANDFAST_PHASE": phase.name, "STANDFAST_ATTEMPT": str(attempt + 1)}
            reason = self._try(hook, variables, ignores_cancel=ignores_cancel)
            if reason is None:
                log.info(phase.done)
                return None
            if attempt == hook.retries or (self._context.cancel.is_cancelled and not ignores_cancel):
                return reason
            log.warning(phase.again, reason=reason)
        raise AssertionError("a hook has at least one attempt")

    def _try(self, hook: HookCommand, given: Mapping[str, str], *, ignores_cancel: bool) -> Message | None:
        context = self._context
        try:
            outcome = run_command(
                hook.arguments,
                environment=_environment({**self._subject.variables(context.task), **given}),
                time_limit_s=hook.time_limit_s,
                cancel=type(context.cancel)() if ignores_cancel else context.cancel,
            )
        except (OSError, ValueError) as error:
            return NOT_STARTED.fill(reason=reason_of(error))
        self._log_output(outcome)
        if outcome.is_good:
            return None
        if outcome.was_cancelled:
            return TASK_WAS_STOPPED.fill()
        if outcome.status is None:
            return TOOK_TOO_LONG.fill(seconds=f"{hook.time_limit_s:g}")
        return EXIT_STATUS.fill(status=outcome.status)

    def _log_output(self, outcome: Outcome) -> None:
        lines = [line.rstrip() for line in outcome.output.splitlines() if line.strip()]
        for line in lines[:_MAX_LINES]:
            self._context.log.info(HOOK_OUTPUT, text="".join(char if char.isprintable() else " " for char in line))
        if outcome.is_cut or len(lines) > _MAX_LINES:
            self._context.log.info(HOOK_OUTPUT_CUT)


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return what a command needs to run at all, and what it gets from us.

    The engine's own environment stays with the engine: service managers put passwords and tokens into it.
    """
    needed = {name: value for name, value in os.environ.items() if name.upper() in _NEEDED}
    if os.name != "nt":
        needed.setdefault("PATH", os.defpath)
        needed.update(LANG="C.UTF-8", LC_ALL="C.UTF-8")  # as the names are that it gets
    return {**needed, **{name: value.replace("\0", "") for name, value in given.items()}}
