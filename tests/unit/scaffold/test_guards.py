"""The guards of all tests do fail what they should, and only that."""

import shutil
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PROJECT = Path(__file__).parents[3]

LEAKS = """
import logging, socket, threading, time
import pytest

log = logging.getLogger("app.part")
kept = []

def linger(started=None):
    event = threading.Event()
    kept.append(event)
    thread = threading.Thread(target=event.wait, name="lingerer", daemon=True)
    thread.start()
    return event

def test_quiet(): log.info("nothing to see")
def test_warns(): log.warning("disk is slow")
def test_logs_error_with_traceback():
    try: raise OSError("boom")
    except OSError: log.exception("read failed")

@pytest.mark.allows_log("disk is slow")
def test_announced_by_marker(): log.warning("disk is slow")

@pytest.mark.allows_log("disk is slow")
def test_announced_but_another_came(): log.warning("disk is gone")

def test_expected(log_guard):
    log_guard.expect("WARNING app.part: disk")
    log.warning("disk is slow")

def test_expected_but_absent(log_guard): log_guard.expect("disk is slow")
def test_next_is_not_blamed(): pass

def test_leaks_thread(): linger()
def test_after_leak(): pass
def test_thread_that_ends_soon(): threading.Timer(0.2, lambda: None).start()

def test_leaks_file(tmp_path): kept.append((tmp_path / "x").open("w"))
def test_leaks_socket(): kept.append(socket.create_server(("127.0.0.1", 0)))
def test_drops_socket_unclosed(): socket.create_server(("127.0.0.1", 0))
def test_closes_everything(tmp_path):
    with socket.create_server(("127.0.0.1", 0)), (tmp_path / "x").open("w"): pass

def test_thread_dies_of_an_exception():
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start(); thread.join()

@pytest.fixture(scope="module")
def server():
    event = linger()
    yield event
    event.set()

def test_uses_module_server(server): linger_too.append(linger())
def test_uses_module_server_again(server): linger_too.pop().set()
linger_too = []

def test_fails_anyway():
    log.error("noise of a failing test")
    linger()
    assert False, "the real reason"
"""

EXPECTED = {
    "test_quiet": "passed",
    "test_warns": "error",
    "test_logs_error_with_traceback": "error",
    "test_announced_by_marker": "passed",
    "test_announced_but_another_came": "error",
    "test_expected": "passed",
    "test_expected_but_absent": "error",
    "test_next_is_not_blamed": "passed",
    "test_leaks_thread": "error",
    "test_after_leak": "passed",
    "test_thread_that_ends_soon": "passed",
    "test_leaks_file": "error",
    "test_leaks_socket": "error",
    "test_drops_socket_unclosed": "failed",
    "test_closes_everything": "passed",
    "test_thread_dies_of_an_exception": "failed",
    "test_uses_module_server": "passed",
    "test_uses_module_server_again": "passed",
    "test_fails_anyway": "failed",
}

WORDS = {
    "test_warns": "WARNING app.part: disk is slow",
    "test_logs_error_with_traceback": "read failed [OSError: boom]",
    "test_expected_but_absent": "expected in the log but absent",
    "test_leaks_thread": "thread 'lingerer'",
    "test_leaks_file": "/x)",
    "test_leaks_socket": "socket:[",
    "test_fails_anyway": "the real reason",
}


def prepared(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(PROJECT / "tests" / "conftest.py", pytester.path / "conftest.py")
    pytester.makeini(
        "[pytest]\nfilterwarnings = error\nmarkers =\n    allows_log\n    qemu\n    govmomi\n    outside_tools\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="descriptors are counted on Linux")
def test_each_guard_fails_its_test_and_no_other(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(pytester, monkeypatch)
    monkeypatch.setenv("STANDFAST_TEST_PATIENCE_S", "0.5")
    pytester.makepyfile(test_leaks=LEAKS)
    result = pytester.runpytest_subprocess("-p", "no:xdist", "-rA", "--tb=short", timeout=120)
    text = result.stdout.str()
    verdicts: dict[str, str] = {}
    for line in text.split("short test summary info")[-1].splitlines():
        verdict, _, rest = line.partition(" ")
        name = rest.partition("::")[2].partition(" ")[0]
        if name and verdict in ("PASSED", "ERROR", "FAILED") and verdicts.get(name) != "failed":
            verdicts[name] = verdict.lower()
    assert {name: verdicts.get(name) for name in EXPECTED} == EXPECTED, text
    assert [name for name, words in WORDS.items() if words not in text] == []
    assert "noise of a failing test" not in text.split("short test summary info")[-1]


def test_a_thread_that_outlives_the_session_fails_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(pytester, monkeypatch)
    pytester.makepyfile(
        test_session="""
        import threading, pytest
        @pytest.fixture(scope="session")
        def forgotten():
            threading.Thread(target=threading.Event().wait, args=(1,), name="forgotten").start()
        def test_uses_it(forgotten): pass
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:xdist", timeout=60)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*1 passed*"])
    assert "threads outlive the test session: forgotten" in result.stdout.str()


def test_the_threads_that_watch_the_time_are_no_leak(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one of the last test still runs when its module is judged."""
    prepared(pytester, monkeypatch)
    monkeypatch.setenv("STANDFAST_TEST_PATIENCE_S", "0.5")
    pytester.makepyfile("def test_one(): pass\ndef test_other(): pass")
    options = ("-p", "no:xdist", "--timeout", "300", "--timeout-method", "thread")
    pytester.runpytest_subprocess(*options, timeout=60).assert_outcomes(passed=2)


JUDGED = """
import pytest
@pytest.mark.outside_tools("no-such-judge")
def test_judged(): pass
def test_plain(): pass
"""


def test_a_missing_judge_skips_its_test_with_the_reason(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(pytester, monkeypatch)
    monkeypatch.delenv("STANDFAST_REQUIRE_OUTSIDE_TOOLS", raising=False)
    pytester.makepyfile(JUDGED)
    result = pytester.runpytest_subprocess("-p", "no:xdist", "-rs", timeout=60)
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*not installed on this machine: no-such-judge*"])


def test_a_missing_judge_fails_where_it_should_have_been_installed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(pytester, monkeypatch)
    monkeypatch.setenv("STANDFAST_REQUIRE_OUTSIDE_TOOLS", "1")
    pytester.makepyfile(JUDGED)
    result = pytester.runpytest_subprocess("-p", "no:xdist", timeout=60)
    result.assert_outcomes(passed=1, errors=1)


def test_tests_never_see_the_users_folders_or_keyring() -> None:
    import keyring

    from app.paths import find_folders

    assert find_folders().data.parent.name.startswith("standfast-home")
    assert type(keyring.get_keyring()).__module__ == "keyring.backends.fail"
