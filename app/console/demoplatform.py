"""The built-in demo platform: the simulator as a process of its own, which ends with this one.

It is made again at every start, with the same VMs at the same port; the port is kept in ``demo/platform.json``, so
that a registered demo platform is found again. Its certificate is another one each time.
"""

import json
import logging
import shutil
import subprocess
import threading
from pathlib import Path

from app.console.errors import DemoDidNotStart
from app.core.childprocess import child_flags
from app.core.durable import replace_durably
from app.core.privatefiles import make_private_folders
from app.domain.reasons import reason_of
from app.paths import program_command, program_folder
from app.views.program import DemoAccess

_log = logging.getLogger(__name__)

_NOTE = "platform.json"
_END_S = 10.0


class DemoPlatform:
    """The simulator's process, at most one. Thread: any."""

    def __init__(self, folder: Path) -> None:
        """Know where its files go.

        Args:
            folder: of the simulator's own files, of the note about its port, and of the demo's standby.
        """
        self._folder = folder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._access: DemoAccess | None = None

    def was_used(self) -> bool:
        """Return whether it was started in an earlier run."""
        return (self._folder / _NOTE).is_file()

    def start(self) -> DemoAccess:
        """Start it unless it runs, and return how to reach it.

        Raises:
            DemoDidNotStart: it ended before it was ready.
        """
        with self._lock:
            if self._process is not None and self._process.poll() is None and self._access is not None:
                return self._access
            try:
                self._access = self._start(self._noted_port())
            except (OSError, ValueError, KeyError) as error:
                self._end()
                raise DemoDidNotStart(detail=reason_of(error), folder=self._folder) from error
            return self._access

    def stop(self) -> None:
        """End it; nothing happens when it does not run."""
        with self._lock:
            self._end()

    def _start(self, port: int) -> DemoAccess:
        files = self._folder / "vsphere"
        shutil.rmtree(files, ignore_errors=True)
        standby = self._folder / "standby"
        make_private_folders(standby)
        arguments = ["--dir", str(files), "--port", str(port), "--until-stdin-ends"]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            program_command("simulator", *arguments),
            cwd=program_folder(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            creationflags=child_flags(),
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise OSError(f"it ended with status {self._process.wait(_END_S)}")
        facts = json.loads(line)
        replace_durably(self._folder / _NOTE, json.dumps({"port": facts["port"]}).encode())
        return DemoAccess(
            address=facts["address"],
            port=facts["port"],
            user=facts["user"],
            password=Path(facts["password_file"]).read_text(encoding="utf-8"),
            thumbprint_sha256=facts["thumbprint_sha256"],
            standby_root=str(standby),
        )

    def _noted_port(self) -> int:
        try:
            return int(json.loads((self._folder / _NOTE).read_text(encoding="utf-8"))["port"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _end(self) -> None:
        process, self._process, self._access = self._process, None, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            _log.warning("the demo platform did not end by itself")
            process.kill()
            process.wait()
        process.stdout.close()
