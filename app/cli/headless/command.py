"""``standfast --headless``: run the engine until the system wants it to end."""

import getpass
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from app import __version__
from app.bootstrap.host import EngineHost, open_secrets, settle_catalog
from app.bootstrap.installation import Installation
from app.cli.headless.servicemanager import notify_service_manager
from app.cli.headless.signals import StopRequest, stop_request
from app.config import SecretStoreKind
from app.contract.launch import EngineLaunch, Outcome, receive_launch, report_outcome, when_parent_is_gone
from app.contract.overview import ReadOverview
from app.contract.rules import ListRules
from app.core.passphrases import passphrase_from
from app.core.priority import yield_to_others
from app.core.processend import end_without
from app.core.streams import FAILED, is_at_terminal, note, say
from app.domain.catalogs import CatalogChoice
from app.domain.engine_events import ProgramEndAsked
from app.domain.errors import OperationalError
from app.domain.events import Event
from app.engine.engine import Engine
from app.logs import MIB, ProgramLog
from app.paths import Folders
from app.workers.threads import QtTaskRunner

_log = logging.getLogger(__name__)

_WARM_UP_S = 1.0
SWITCH_S = 0.001
"""How long a thread that moves data may keep the interpreter while another waits to answer the window; Python's
5 ms, times the threads of eight tasks, would be felt."""


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who runs the engine.

    Attributes:
        ask_passphrase: gives what opens the password file.
        ready: told when the door is open.
        failed: told what keeps the engine from starting.
        on_stop_request: called when the engine is to end, before it does.
        prepare: changes the installation before the engine opens it.
        ends_it: the caller ends the engine itself when the program is to end.
    """

    ask_passphrase: Callable[[], str | None]
    ready: Callable[[Installation], None]
    failed: Callable[[OperationalError], None]
    on_stop_request: Callable[[], object]
    prepare: Callable[[Installation], Installation] = lambda installation: installation
    ends_it: bool = False


def run_headless(folders: Folders | None = None, *, on_stop_request: Callable[[], object] = lambda: None) -> int:
    """Run the engine; return 0 when it ended in order, 1 when it could not be started.

    Args:
        folders: where the files are; None finds them.
        on_stop_request: called when the engine is to end, before it does.

    Thread: main.
    """

    def ready(installation: Installation) -> None:
        note(f"Standfast {__version__} runs; data in {installation.folders.data}")
        notify_service_manager("READY=1\nSTATUS=Running")

    def failed(error: OperationalError) -> None:
        say(str(error))

    caller = _Caller(passphrase_from(otherwise=_asked_passphrase), ready, failed, on_stop_request)
    with stop_request() as stop:
        return _run(folders, stop, caller)


def run_catalog_choice(choice: CatalogChoice, folders: Folders | None = None) -> int:
    """Do what was chosen about a lost catalog; return 0, or 1 when it could not be done."""
    try:
        settle_catalog(Installation.find(folders), choice)
    except OperationalError as error:
        say(str(error))
        return FAILED
    return 0


def run_for_parent(*, on_stop_request: Callable[[], object] = lambda: None) -> int:
    """Run the engine for the program that started it, until that one does not want it any more or is gone.

    Args:
        on_stop_request: called when the engine is to end, before it does.

    Returns:
        0 when it ended in order, 1 when it could not be started; the parent is sent the reason.
    """
    try:
        launch = receive_launch()
    except (EOFError, OSError) as error:
        say(str(error))
        return FAILED
    yield_to_others()
    caller = _Caller(
        lambda: launch.passphrase,
        _report_ready,
        _report_failed,
        on_stop_request,
        prepare=lambda installation: _as_launched(installation, launch),
        ends_it=True,
    )
    with stop_request() as stop:
        when_parent_is_gone(lambda: stop.name_it("the end of its parent"))
        return _run(folders_of(launch), stop, caller)


def _report_ready(_installation: Installation) -> None:
    report_outcome(Outcome.ready())


def _report_failed(error: OperationalError) -> None:
    report_outcome(Outcome.failed(error))


def run_for_service(*, on_stop_request: Callable[[], object] = lambda: None) -> int:
    """Run the engine of this user until standard input ends, and say on standard output when it is ready.

    Args:
        on_stop_request: called when the engine is to end, before it does.

    Returns:
        0 when it ended in order, 1 when it could not be started; the reason is said before.
    """
    caller = _Caller(passphrase_from(), _report_ready, _report_failed, on_stop_request)
    with stop_request() as stop:
        when_parent_is_gone(lambda: stop.name_it("the end of the service"))
        return _run(None, stop, caller)


def folders_of(launch: EngineLaunch) -> Folders:
    """Return where the files of a launched engine are."""
    return Folders(
        program=Path(launch.program),
        config=Path(launch.config),
        data=Path(launch.data),
        local=Path(launch.local),
        logs=Path(launch.logs),
    )


def _as_launched(installation: Installation, launch: EngineLaunch) -> Installation:
    """Do what was chosen about the catalog; return the installation with the chosen place for passwords."""
    if launch.catalog is not None:
        settle_catalog(installation, launch.catalog)
    if launch.secret_store is None:
        return installation
    settings = replace(installation.settings, secret_store=SecretStoreKind(launch.secret_store))
    return replace(installation, settings=settings)


def _run(folders: Folders | None, stop: StopRequest, caller: _Caller) -> int:
    try:
        installation = Installation.find(folders)
    except OperationalError as error:
        caller.failed(error)
        return FAILED
    settings = installation.settings
    log = ProgramLog(
        installation.folders.logs,
        name="engine",
        level=getattr(logging, settings.log_level.name),
        file_bytes=settings.log_file_mb * MIB,
        file_count=settings.log_files,
    )
    sys.setswitchinterval(SWITCH_S)
    with log:
        try:
            _serve(caller.prepare(installation), stop, caller)
        except OperationalError as error:
            _log.error("the engine could not be started: %s", error)
            caller.failed(error)
            return FAILED
    return 0


def _serve(installation: Installation, stop: StopRequest, caller: _Caller) -> None:
    def end_when_asked(event: Event) -> None:
        if isinstance(event, ProgramEndAsked):
            stop.name_it("the wish of an operator")

    secrets = open_secrets(installation, caller.ask_passphrase)
    with _task_runner() as runner, EngineHost.open(installation, secrets=secrets, runner=runner) as host:
        if not caller.ends_it:
            host.engine.subscribe(end_when_asked)
        host.let_others_in()
        _log.info("Standfast %s runs without a window", __version__)
        caller.ready(installation)
        warming = threading.Thread(target=_warm_up, args=(host.engine,), name="warm-up", daemon=True)
        warming.start()
        stop.wait()
        caller.on_stop_request()
        warming.join(_WARM_UP_S)
        _log.info("ending because of %s", stop.name)
        notify_service_manager("STOPPING=1\nSTATUS=Stopping tasks and cleaning up")
    _log.info("ended")


@contextmanager
def _task_runner() -> Iterator[QtTaskRunner]:
    """Give the runner of the engine's tasks; a task that hangs at the end of the block ends the process."""
    runner = QtTaskRunner()
    try:
        yield runner
    finally:
        stuck = runner.close()
        if stuck:  # Qt aborts a process that lets go of a QThread that runs
            end_without(stuck, 0)


def _warm_up(engine: Engine) -> None:
    """Read once what the first pages are made of, before anyone waits for it."""
    try:
        engine.ask(ReadOverview())
        engine.ask(ListRules())
    except OperationalError as error:
        _log.warning("the first pages could not be made ready: %s", error)


def _asked_passphrase() -> str | None:
    if not is_at_terminal():
        return None
    return getpass.getpass("Passphrase of the password file: ") or None
