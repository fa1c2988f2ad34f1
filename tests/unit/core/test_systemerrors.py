"""Words for errors of the system, and children without a console window, read in their encoding."""

import ast
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.childprocess import child_flags, decode_output
from app.domain.reasons import reason_of
from app.domain.systemerrors import error_of_code

APP = Path(__file__).parents[3] / "app"
STARTS = ("Popen", "run", "call", "check_call", "check_output")


class WindowsError(OSError):
    """What Windows raises: the number of Windows Sockets, and the words of a C library that does not know it."""

    def __init__(self, winerror: int, strerror: str | None) -> None:
        super().__init__(22, strerror)
        self.winerror = winerror


@pytest.mark.parametrize(
    "strerror", ["", None, "Unknown error", "Unknown error 10061", "Winsock error 10061", "Windows Error 0x274d"]
)
def test_an_error_of_windows_sockets_has_words(strerror: str | None) -> None:
    assert str(reason_of(WindowsError(10061, strerror))) == "the connection was refused"


def test_a_host_that_windows_cannot_find_is_reported_in_words() -> None:
    error = socket.gaierror(11001, "getaddrinfo failed")  # what Python says there, whatever the reason
    assert str(reason_of(error)) == "the name of the host is unknown"
    assert reason_of(error).details == "[Errno 11001] getaddrinfo failed"
    named = socket.gaierror(-2, "Name or service not known")
    assert str(reason_of(named)) == "the name of the host is unknown"
    assert reason_of(named).details == "[Errno -2] Name or service not known"


def test_what_the_system_says_is_kept_where_it_says_something() -> None:
    assert reason_of(WindowsError(10061, "No connection could be made.")).details.endswith("could be made.")
    assert reason_of(ConnectionRefusedError(111, "Connection refused")).details.endswith("Connection refused")
    assert reason_of(OSError("timed out")).details == "timed out"
    assert reason_of(OSError()).details == "OSError"


def test_a_number_of_a_socket_has_words_on_every_system() -> None:
    assert "refused" in str(error_of_code(10061))
    assert "10061" in str(error_of_code(10061))
    assert str(error_of_code(111)).startswith("[Errno 111]")


def test_every_child_process_is_started_without_a_console_window() -> None:
    lacking = []
    for file in APP.rglob("*.py"):
        lacking += [
            f"{file.relative_to(APP.parent)}:{node.lineno}"
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and _starts_a_process(node) and not _has_flags(node)
        ]
    assert lacking == [], "pass creationflags=child_flags(…) of app.core.childprocess"
    assert child_flags() == getattr(subprocess, "CREATE_NO_WINDOW", 0)


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("每日 ok\n".encode(), "每日 ok\n"),
        ("每日 ok\n".encode("gbk"), "每日 ok\n"),
        ("每日".encode()[:-1], "每\ufffd"),
        (b"\xff\xff", "\ufffd\ufffd"),
        (b"", ""),
    ],
    ids=["UTF-8", "code page", "UTF-8, cut", "neither", "nothing"],
)
def test_what_a_program_wrote_is_read_in_its_encoding(output: bytes, shown: str) -> None:
    assert decode_output(output, otherwise="gbk") == shown
    assert decode_output("每日".encode()) == "每日"


@pytest.mark.skipif(sys.platform != "win32", reason="code pages of Windows")
def test_the_code_page_of_consoles_is_read() -> None:
    assert decode_output("é".encode("oem")) == "é".encode("oem").decode("oem")


def _starts_a_process(call: ast.Call) -> bool:
    function = call.func
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
        return isinstance(function, ast.Name) and function.id == "Popen"
    module, name = function.value.id, function.attr
    return (module == "subprocess" and name in STARTS) or (
        module == "os" and name in ("system", "popen", "startfile")
    )


def _has_flags(call: ast.Call) -> bool:
    return any(
        word.arg == "creationflags"
        and isinstance(word.value, ast.Call)
        and isinstance(word.value.func, ast.Name)
        and word.value.func.id == "child_flags"
        for word in call.keywords
    )
