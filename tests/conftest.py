"""Guards that hold for every test.

- A log record of warning level or above that the test did not announce fails it. A test announces with the marker
  ``allows_log("pattern", …)`` (may appear) or with the fixture ``log_guard``: ``log_guard.allow(pattern)`` (may
  appear), ``log_guard.expect(pattern)`` (must appear). Patterns are searched in ``LEVEL logger: message``.
- A thread, file or socket that outlives the test which started it fails that test. What a fixture of wider scope
  starts is judged when the module ends, or the session.
- Garbage is collected between tests, on the main thread: a widget that another thread's allocation lets end there
  kills the process, tests later (``app/workers/collector.py`` is how the program itself keeps from that).
- Nothing of this machine's user is touched: data folders lie in a temporary folder, the keyring is one that fails.
- Under pytest-xdist the modules that take longest are begun first, so that no worker is left with one at the end.
- Outside judges (``qemu``, ``govmomi``, ``outside_tools``) that are not installed skip their tests with a reason;
  under ``./dev test``, which installs them, they fail instead.
"""

import gc
import inspect
import os
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support import outside
from tests.support.leaks import Holdings, LeakFound, wait_for_release
from tests.support.logguard import LogGuard
from tests.support.qt_end import destroy_what_is_due, destroy_what_is_left

if TYPE_CHECKING:  # most tests do without Qt
    from PySide6.QtWidgets import QApplication

    from tests.support.patient_bot import PatientBot

settings.register_profile(
    "quick", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("deep", parent=settings.get_profile("quick"), max_examples=2_000)
settings.load_profile(os.environ.get("STANDFAST_HYPOTHESIS", "quick"))

_failed = pytest.StashKey[bool]()
_guard = LogGuard()
_at_start: Holdings | None = None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start listening to the log, and note what is open before the first test."""
    global _at_start
    _guard.install()
    _at_start = Holdings.now()


SLOW_FOLDERS = ("tests/e2e/", "tests/gui/fit/")
"""Their modules take minutes for few tests: whole engines that are killed, whole windows."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under pytest-xdist put slow modules first and those of few tests last; a developer's own order is kept."""
    if not hasattr(config, "workerinput"):
        return
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: (not item.nodeid.startswith(SLOW_FOLDERS), -sizes[item.path], item.path))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Take the garbage collector over; it need not look at modules and tests again and again."""
    gc.disable()
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Judge what outlived even the session's fixtures."""
    _guard.uninstall()
    destroy_what_is_left()
    left = [
        thread for thread in threading.enumerate() if not thread.daemon and thread is not threading.main_thread()
    ]
    ours = [thread.name for thread in left if _at_start is None or thread not in _at_start.threads]
    if ours:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print(f"\nthreads outlive the test session: {', '.join(ours)}")


@pytest.fixture(scope="session", autouse=True)
def _home_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the tests out of the user's folders and keyring."""
    home = tmp_path_factory.mktemp("standfast-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STANDFAST_HOME", str(home))
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
        patch.setenv("QT_QPA_PLATFORM", os.environ.get("QT_QPA_PLATFORM", "offscreen"))
        yield home


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder like ``tmp_path`` whose path leaves room for the name of a socket, also in a worker of many."""
    with tempfile.TemporaryDirectory(prefix="sf-", dir="/tmp" if os.name == "posix" else None) as name:
        yield Path(name)


@pytest.fixture
def open_place(short_path: Path) -> Path:
    """A folder that other users can reach, as ``tmp_path`` cannot be."""
    short_path.chmod(0o711)
    return short_path


@pytest.fixture
def log_guard() -> LogGuard:
    """Announce log records that this test will cause."""
    return _guard


@pytest.fixture
def qtbot(qapp: "QApplication", request: pytest.FixtureRequest) -> "PatientBot":
    """Drive Qt, with time limits that a machine under load keeps too."""
    from tests.support.patient_bot import PatientBot

    return PatientBot(request)


# --- external tools ------------------------------------------------------------------------------------------


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or under ``./dev test`` fail, where an external tool is missing."""
    missing = outside.missing_for(item)
    if missing:
        reason = f"not installed on this machine: {', '.join(missing)}"
        if outside.are_required():
            pytest.fail(f"{reason} (./dev test should have installed it)", pytrace=False)
        pytest.skip(reason)


# --- the log ---------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Begin every test with an empty log and its own announcements; end it with what its fixtures held."""
    _guard.begin(pattern for mark in item.iter_markers("allows_log") for pattern in mark.args)
    result = yield
    # Only now pytest lets go of the fixtures' values. What outlived the collection in the teardown for that is
    # still young; after another it would be old, and the widgets of each window would stay until the module ends.
    gc.collect(1)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Judge the log once everything of the test is torn down."""
    result = yield
    destroy_what_is_due()
    gc.collect(0)  # everything that the test has made
    complaint = _guard.complaint()
    if complaint and not item.stash.get(_failed, False):
        pytest.fail(complaint, pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember a failure, so that the guards do not pile their complaints upon it."""
    report = yield
    if report.failed:
        item.stash[_failed] = True
    # A report travels between processes as UTF-8; what a test printed or logged need not be.
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode("utf-8")) for name, text in report.sections
    ]
    return report


# --- threads, files and sockets ----------------------------------------------------------------------------------


def _patience_s() -> float:
    return float(os.environ.get("STANDFAST_TEST_PATIENCE_S", "5"))


def _judge(before: Holdings, where: str) -> None:
    try:
        wait_for_release(before, deadline_s=_patience_s())
    except LeakFound as leak:
        pytest.fail(f"{where} left behind: {leak}", pytrace=False)


def _uses_wider_fixture(item: pytest.Item, *, than: str) -> bool:
    """Tell whether a test uses a fixture of ours that lives longer than ``than`` ("function" or "module")."""
    narrow = {"function": {"function"}, "module": {"function", "class", "module"}}[than]
    info = getattr(item, "_fixtureinfo", None)
    definitions = info.name2fixturedefs.values() if info else ()
    return any(
        fixture.scope not in narrow and fixture.func.__module__ != __name__ and not _is_of_a_library(fixture.func)
        for group in definitions
        for fixture in group
    )


def _is_of_a_library(function: Callable[..., object]) -> bool:
    return "site-packages" in inspect.unwrap(function).__code__.co_filename


@pytest.fixture(scope="module", autouse=True)
def _module_leaves_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    items = [item for item in request.session.items if getattr(item, "module", None) is request.module]
    before = Holdings.now()
    yield
    gc.collect()
    failed = any(item.stash.get(_failed, False) for item in items)
    if not failed and not any(_uses_wider_fixture(item, than="module") for item in items):
        _judge(before, "the tests of this module")


@pytest.fixture(autouse=True)
def _test_leaves_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    before = Holdings.now()
    yield
    node = request.node
    if not node.stash.get(_failed, False) and not _uses_wider_fixture(node, than="function"):
        _judge(before, "this test")
