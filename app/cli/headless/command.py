"""``standfast --headless``: run the engine until the system wants it to end."""

import getpass
import logging
import sys

from app import __version__
from app.bootstrap import EngineHost, Installation
from app.cli.headless.servicemanager import tell_service_manager
from app.cli.headless.signals import EndWish, end_wish
from app.domain.errors import OperationalError
from app.logs import MIB, ProgramLog
from app.paths import Folders
from app.secretstore.passphrases import passphrase_from

_log = logging.getLogger(__name__)

FAILED = 1


def run_headless(folders: Folders | None = None) -> int:
    """Run the engine; return 0 when it ended in order, 1 when it could not be started.

    Thread: main.
    """
    try:
        installation = Installation.find(folders)
    except OperationalError as error:
        print(error, file=sys.stderr)
        return FAILED
    settings = installation.settings
    log = ProgramLog(
        installation.folders.logs,
        name="engine",
        level=getattr(logging, settings.log_level.name),
        file_bytes=settings.log_file_mb * MIB,
        file_count=settings.log_files,
    )
    with log, end_wish() as wish:
        try:
            _serve(installation, wish)
        except OperationalError as error:
            _log.error("the engine could not be started: %s", error)
            print(error, file=sys.stderr)
            return FAILED
    return 0


def _serve(installation: Installation, wish: EndWish) -> None:
    secrets = installation.open_secrets(passphrase_from(otherwise=_asked_passphrase))
    with EngineHost.open(installation, secrets=secrets) as host:
        host.let_others_in()
        _log.info("Standfast %s runs without a window", __version__)
        print(f"Standfast {__version__} runs; data in {installation.folders.data}", flush=True)
        tell_service_manager("READY=1\nSTATUS=Running")
        wish.wait()
        _log.info("ending because of %s", wish.name)
        tell_service_manager("STOPPING=1\nSTATUS=Stopping tasks and cleaning up")
    _log.info("ended")


def _asked_passphrase() -> str | None:
    if not sys.stdin.isatty():
        return None
    return getpass.getpass("Passphrase of the password file: ") or None
