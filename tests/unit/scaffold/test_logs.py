"""The program's log: what gets in, what must never get in, and how it rotates."""

import base64
import gc
import io
import logging
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.logs import HIDDEN, ProgramLog, Redactor
from tests.support.held_files import held
from tests.support.logguard import LogGuard

SECRET = "Tr0ub4dor&3"


@pytest.fixture
def program_log(tmp_path: Path) -> Iterator[ProgramLog]:
    with ProgramLog(tmp_path / "logs", level=logging.DEBUG) as log:
        yield log


def text_of(log: ProgramLog) -> str:
    return log.file.read_text(encoding="utf-8")


# --- secrets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        f"login with password={SECRET}",
        f"login with Password: {SECRET}",
        f"passwd='{SECRET}'",
        f'{{"password": "{SECRET}", "user": "root"}}',
        f"{{'passphrase': '{SECRET} and more'}}",
        f"<userName>root</userName><password>{SECRET}</password>",
        f'<ns1:password xsi:type="xsd:string">{SECRET}</ns1:password>',
        f"Cookie: vmware_soap_session={SECRET}; Path=/",
        f'Set-Cookie: vmware_soap_session="{SECRET}"',
        f"Authorization: Basic {SECRET}",
        f"'authorization': 'Bearer {SECRET}'",
        f"GET /folder/x?session_id={SECRET}&dsName=ds1",
        f"https://root:{SECRET}@esx1.example/sdk",
        f"ticket={SECRET}",
        f"db_password = {SECRET}",
    ],
)
def test_what_looks_like_a_secret_is_hidden(line: str) -> None:
    cleaned = Redactor().clean(line)
    assert SECRET not in cleaned
    assert HIDDEN in cleaned


@pytest.mark.parametrize(
    "line",
    [
        "the account root was refused by vcsa.example",
        "read 4096 bytes of [ds1] web-01/web-01-flat.vmdk at offset 1048576",
        "https://vcsa.example:443/sdk answered 503",
        "the password was refused",
        "snapshot Standfast-17 removed in 2.5 s",
    ],
)
def test_what_is_no_secret_stays_legible(line: str) -> None:
    assert Redactor().clean(line) == line


def test_what_is_around_a_secret_stays_legible() -> None:
    line = f"Login(user='root', password='{SECRET}', locale='en') took 3 ms"
    assert Redactor().clean(line) == f"Login(user='root', password='{HIDDEN}', locale='en') took 3 ms"


def test_a_known_secret_is_hidden_wherever_it_stands() -> None:
    redactor = Redactor()
    redactor.protect("磐石-2026")
    redactor.protect("磐石")
    redactor.protect("磐石-2026-longer")
    assert redactor.clean("a 磐石-2026-longer b 磐石-2026 c") == f"a {HIDDEN} b {HIDDEN} c"


def test_a_value_too_short_to_be_a_secret_does_not_blot_the_log() -> None:
    redactor = Redactor()
    redactor.protect("e")
    redactor.protect("")
    assert redactor.clean("everything") == "everything"


def test_neither_messages_nor_arguments_nor_tracebacks_hold_a_secret(
    program_log: ProgramLog, log_guard: LogGuard
) -> None:
    log_guard.expect("refused")
    program_log.redactor.protect(SECRET)
    log = logging.getLogger("app.vsphere.session")
    log.debug("connecting as %s with %s", "root", SECRET)
    log.info("header %s", {"Cookie": "vmware_soap_session=abcdef0123"})
    try:
        raise ConnectionError(f"401 for root:{SECRET}")
    except ConnectionError:
        log.exception("refused")
    written = text_of(program_log)
    assert SECRET not in written
    assert "abcdef0123" not in written
    assert "ConnectionError: 401 for root:" in written


@pytest.mark.parametrize("piece", ["a.", "deadbeef", "<password ", "password=' ", "cookie ", "x://", "token"])
def test_a_huge_line_costs_time_in_proportion_only(piece: str) -> None:
    redactor = Redactor()

    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        started = time.process_time()
        redactor.clean(text)
        return time.process_time() - started

    seconds(1_000)
    assert seconds(200_000) < 2.0


# --- what gets in ------------------------------------------------------------------------------------------


def test_a_line_says_when_where_and_what(program_log: ProgramLog) -> None:
    logging.getLogger("app.engine").info("备份完成 %d%%", 100)
    line = text_of(program_log).strip()
    assert line.endswith("INFO     [MainThread] app.engine: 备份完成 100%")
    assert line[4] == "-"
    assert line[23] in "+-"


def test_the_level_decides_what_is_written(tmp_path: Path) -> None:
    with ProgramLog(tmp_path, level=logging.INFO) as log:
        logging.getLogger("app").debug("noise")
        logging.getLogger("app").info("news")
    assert "news" in text_of(log)
    assert "noise" not in text_of(log)


def test_full_files_are_put_aside_and_the_oldest_dropped(tmp_path: Path) -> None:
    with ProgramLog(tmp_path, file_bytes=2_000, file_count=2) as log:
        for number in range(200):
            logging.getLogger("app").info("line %d", number)
    names = sorted(path.name for path in tmp_path.glob("standfast.log*"))
    assert names == ["standfast.log", "standfast.log.1", "standfast.log.2"]
    assert all(path.stat().st_size <= 2_000 for path in tmp_path.glob("standfast.log*"))
    assert "line 199" in text_of(log)


@pytest.mark.parametrize("name", ["standfast.log", "standfast.log.1", "standfast.log.2"])
def test_a_file_that_another_program_has_open_costs_no_line(tmp_path: Path, name: str) -> None:
    """On Windows it cannot be renamed then; a second console has it open for days."""
    with ProgramLog(tmp_path, file_bytes=2_000, file_count=3) as log:
        for number in range(70):
            logging.getLogger("test").info("before %03d", number)
        kept = {path.name: path.read_bytes() for path in tmp_path.glob("standfast.log.*")}
        with held(tmp_path / name):
            for number in range(40):
                logging.getLogger("test").info("meanwhile %03d", number)
        texts = [path.read_text(encoding="utf-8") for path in tmp_path.glob("standfast.log*")]
        assert [sum(f"meanwhile {n:03d}" in text for text in texts) for n in range(40)] == [1] * 40
        assert set(kept.values()) & {path.read_bytes() for path in tmp_path.glob("standfast.log.*")}
        for number in range(40):
            logging.getLogger("test").info("afterwards %03d", number)
    assert log.file.stat().st_size <= 2_000


def test_the_console_gets_the_same_lines_without_secrets(tmp_path: Path) -> None:
    console = io.StringIO()
    with ProgramLog(tmp_path, console=console):
        logging.getLogger("app").info("password=%s", SECRET)
    assert HIDDEN in console.getvalue()
    assert SECRET not in console.getvalue()


def test_a_text_that_utf8_cannot_hold_does_not_stop_the_log(program_log: ProgramLog) -> None:
    logging.getLogger("app").info("bad name \udcff in a path")
    assert "bad name ? in a path" in text_of(program_log)


def test_a_name_cannot_forge_a_record(program_log: ProgramLog) -> None:
    forged = "web\n2026-01-01 00:00:00.000+00:00 CRITICAL [MainThread] app: all backups deleted\x1b[2J\u202e"
    logging.getLogger("app").info("backed up %s", forged)
    written = text_of(program_log).splitlines()
    assert len(written) == 1
    assert "backed up web␊2026-01-01" in written[0]
    assert written[0].endswith("␛[2J⟨U+202E⟩")


def test_an_exceptions_text_cannot_forge_a_record(program_log: ProgramLog, log_guard: LogGuard) -> None:
    log_guard.expect("it failed")
    try:
        raise ValueError("bad\n2026-01-01 00:00:00.000+00:00 CRITICAL [MainThread] app: forged\r\x85forged")
    except ValueError:
        logging.getLogger("app").exception("it failed")
    first, *others = text_of(program_log).splitlines()
    assert first.endswith("it failed")
    assert others
    assert all(line.startswith("    ") for line in others)


def test_warnings_of_libraries_go_to_the_log(program_log: ProgramLog, log_guard: LogGuard) -> None:
    log_guard.expect("py.warnings")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old call", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert "DeprecationWarning: old call" in text_of(program_log)


# --- what no one caught ------------------------------------------------------------------------------------


def test_an_uncaught_exception_is_logged_with_its_traceback_and_reported(
    tmp_path: Path, log_guard: LogGuard
) -> None:
    log_guard.expect("CRITICAL app.logs: uncaught exception")
    told: list[BaseException] = []
    with ProgramLog(tmp_path, on_bug=told.append) as log:
        try:
            raise ZeroDivisionError("by nothing")
        except ZeroDivisionError as error:
            sys.excepthook(type(error), error, error.__traceback__)
    assert "Traceback" in text_of(log)
    assert "ZeroDivisionError: by nothing" in text_of(log)
    assert [str(error) for error in told] == ["by nothing"]


def test_an_uncaught_exception_in_a_thread_names_the_thread(tmp_path: Path, log_guard: LogGuard) -> None:
    log_guard.expect("uncaught exception in reader-7")

    def fail() -> None:
        raise ZeroDivisionError("in a thread")

    told: list[BaseException] = []
    with ProgramLog(tmp_path, on_bug=told.append) as log:
        thread = threading.Thread(target=fail, name="reader-7")
        thread.start()
        thread.join()
    assert "ZeroDivisionError: in a thread" in text_of(log)
    assert len(told) == 1


def test_an_exception_in_a_finalizer_is_logged(tmp_path: Path, log_guard: LogGuard) -> None:
    log_guard.expect("ERROR app.logs: .*__del__")

    class Untidy:
        def __del__(self) -> None:
            raise ZeroDivisionError("while tidying up")

    with ProgramLog(tmp_path) as log:
        Untidy()
        gc.collect()
    assert "ZeroDivisionError: while tidying up" in text_of(log)


def test_a_listener_that_fails_does_not_hide_the_bug(tmp_path: Path, log_guard: LogGuard) -> None:
    log_guard.expect("uncaught exception")
    log_guard.expect("the listener for bugs failed")

    def broken(_: BaseException) -> None:
        raise RuntimeError("no window")

    with ProgramLog(tmp_path, on_bug=broken) as log:
        error = ZeroDivisionError("first")
        sys.excepthook(type(error), error, None)
    assert text_of(log).index("first") < text_of(log).index("no window")


def test_ctrl_c_is_no_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passed_on: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, *_: passed_on.append(kind))
    told: list[BaseException] = []
    with ProgramLog(tmp_path, on_bug=told.append) as log:
        sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert text_of(log) == ""
    assert told == []
    assert passed_on == [KeyboardInterrupt]


def test_ending_gives_everything_back(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (sys.excepthook, threading.excepthook, sys.unraisablehook, root.level, list(root.handlers))
    log = ProgramLog(tmp_path, level=logging.DEBUG).start()
    log.stop()
    log.stop()
    assert (sys.excepthook, threading.excepthook, sys.unraisablehook, root.level, list(root.handlers)) == before


def test_a_basic_authorization_made_of_a_known_secret_is_hidden_in_its_header() -> None:
    encoded = base64.b64encode(f"root:{SECRET}".encode()).decode()
    assert encoded not in Redactor().clean(f"headers: Authorization: Basic {encoded}")
