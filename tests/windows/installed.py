"""Installs the program as an operator does, and uses what was installed."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.passphrases import PASSPHRASE_VARIABLE
from app.paths import HOME_VARIABLE
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
SETUPS = ROOT / ".cache" / "package" / "windows" / "setups"
PASSPHRASE = "a passphrase of tests"
PATIENCE_S = 180.0
UNINSTALL_KEY = r"Software\Microsoft\Windows\CurrentVersion\Uninstall\Standfast"
RUNS = 1618
NEWER_IS_THERE = 1638
FAILED = 1603


def setups() -> list[Path]:
    """Return the installers, older first; none where ``./dev package check windows`` has not built them."""
    return sorted(SETUPS.glob("standfast-*-setup.exe"))


def version_of(setup: Path) -> str:
    """Return the version that an installer has."""
    return setup.name.split("-")[1]


@dataclass
class Installed:
    """An installation for all users, and a home for its engine.

    Attributes:
        folder: where the program is.
        home: what ``STANDFAST_HOME`` names.
    """

    home: Path
    folder: Path = field(default_factory=lambda: Path(os.environ["PROGRAMFILES"]) / "Standfast")

    def __post_init__(self) -> None:
        (self.home / "config").mkdir(parents=True)
        (self.home / "config" / "system.conf").write_text("secret_store=file\n", encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """Variables of every program that is started here."""
        chosen = {HOME_VARIABLE: str(self.home), PASSPHRASE_VARIABLE: PASSPHRASE, "QT_QPA_PLATFORM": "offscreen"}
        return {**os.environ, **chosen}

    def install(self, setup: Path, *switches: str) -> int:
        """Install silently, and return the exit code."""
        return self.run(str(setup), "/S", "/AllUsers", *switches).returncode

    def uninstall(self, *switches: str) -> int:
        """Uninstall silently, and return the exit code."""
        # The uninstaller runs from where it is with _?=; else it copies itself, and the copy's end is not seen.
        command = f'"{self.folder / "uninstall.exe"}" /S /AllUsers {" ".join(switches)} _?={self.folder}'
        return subprocess.run(command, env=self.environment, timeout=PATIENCE_S, check=False).returncode

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a program to its end."""
        return subprocess.run(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_S * 2,
            check=False,
        )

    def ctl(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run ``debugctl.exe``."""
        return self.run(str(self.folder / "debugctl.exe"), *arguments)

    def answer(self, *arguments: str) -> Any:
        """Return what ``debugctl.exe --json`` answers."""
        done = self.ctl(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def engine(self) -> "Iterator[subprocess.Popen[bytes]]":
        """Run the installed engine until the end of the block, where its standard input ends."""
        with subprocess.Popen(
            [str(self.folder / "Standfast.exe"), "--headless", "--for-service"],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self.home,
        ) as process:
            try:
                assert process.stdout is not None
                assert b'"engine":"ready"' in process.stdout.readline(), self.log()
                yield process
            finally:
                killer = threading.Timer(PATIENCE_S, process.kill)
                killer.start()
                process.communicate()
                killer.cancel()

    @contextmanager
    def window(self) -> "Iterator[subprocess.Popen[bytes]]":
        """Run the installed console until the end of the block."""
        with subprocess.Popen([str(self.folder / "Standfast.exe"), "--no-tray"], env=self.environment) as process:
            try:
                yield process
            finally:
                process.kill()

    def await_engine(self) -> None:
        """Wait until an engine answers."""
        wait_until(lambda: self.ctl("stat").returncode == 0, deadline_s=PATIENCE_S, what="an engine")

    def log(self) -> str:
        """Return the end of the engine's log."""
        file = self.home / "logs" / "engine.log"
        return file.read_text(encoding="utf-8")[-5000:] if file.exists() else "no log"

    def says_version(self) -> str:
        """Return what the installed program says that it is."""
        return self.run(str(self.folder / "standfast-console.exe"), "--version").stdout.split()[-1]


if sys.platform == "win32":
    import winreg

    def registered(name: str, key: str = UNINSTALL_KEY) -> str | None:
        """Return a value of the machine's registry; None where it is not there."""
        access = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key, access=access) as opened:
                return str(winreg.QueryValueEx(opened, name)[0])
        except FileNotFoundError:
            return None

else:

    def registered(name: str, key: str = UNINSTALL_KEY) -> str | None:
        """Return nothing: there is no registry."""
        del name, key
        return None
