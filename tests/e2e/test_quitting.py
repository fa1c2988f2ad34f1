"""Ending the program takes no more than 20 s, whatever hangs."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from app.contract.hooks import SetHooks
from app.contract.notifications import SetNotifications
from app.domain.hooks import HookCommand, Hooks
from app.domain.notifications import NotificationSettings, WebhookSettings
from app.domain.states import TaskState
from app.simulator.server import VSphereSimulator
from tests.e2e.test_headless import PATIENCE_S, Home, home, simulator
from tests.support.ended import has_ended
from tests.support.slow_server import slow_server
from tests.support.small_mounts import mounted_exfat
from tests.support.stage import start_first_backup, state_of
from tests.support.waiting import wait_until

__all__ = ["home", "simulator"]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and shells of POSIX")

LIMIT_S = 20.0
SLACK_S = 3.0
"""What a busy machine takes on top, for the interpreter and the files."""


def stubborn(notes: Path) -> HookCommand:
    """Return a command that notes its process id, ignores requests to end, and takes very long."""
    script = f"trap '' TERM; echo $$ > {notes}.new; mv {notes}.new {notes}; sleep 120 & wait; wait"
    return HookCommand(arguments=("sh", "-c", script), time_limit_s=3600)


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_hook_that_hangs_and_a_web_server_that_trickles_do_not_keep_it(
    home: Home, simulator: VSphereSimulator, tmp_path: Path, phase: str
) -> None:
    notes = tmp_path / "pid"
    hook = stubborn(notes)
    hooks = Hooks(before=hook) if phase == "before" else Hooks(after=hook)
    with slow_server(b"HTTP/1.1 200 OK\r\n", b"X-Slow: 1\r\n") as server, home.engine() as process:
        with home.open_door() as opened:
            webhook = WebhookSettings(enabled=True, url=f"http://127.0.0.1:{server.port}/x")
            opened.door.execute(SetNotifications(settings=NotificationSettings(webhook=webhook)))
            opened.door.execute(SetHooks(hooks=hooks))
            task = start_first_backup(opened.door, simulator, tmp_path)
            wait_until(notes.exists, deadline_s=PATIENCE_S, what="the hook")
            assert state_of(opened.door, task) is not TaskState.COMPLETED
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(PATIENCE_S)
        finally:
            with suppress(ProcessLookupError, ValueError):
                os.killpg(int(notes.read_text()), signal.SIGKILL)
        assert time.monotonic() - began < LIMIT_S + SLACK_S
        assert status in (0, 1)


def test_a_standby_that_hangs_does_not_keep_it(home: Home, simulator: VSphereSimulator, tmp_path: Path) -> None:
    with mounted_exfat(tmp_path / "share", 8 << 30) as mount, home.engine() as process:
        (mount.directory / "standby").mkdir()
        with home.open_door() as opened:
            start_first_backup(opened.door, simulator, mount.directory)
            locks = mount.directory / "standby" / "locks"
            wait_until(lambda: any(locks.glob("*.lease")), deadline_s=PATIENCE_S, what="work at the standby")
            with mount.hung():
                began = time.monotonic()
                process.send_signal(signal.SIGTERM)
                wait_until(lambda: has_ended(process), deadline_s=PATIENCE_S, what="the end of the engine")
                assert time.monotonic() - began < LIMIT_S + SLACK_S
            assert process.wait(PATIENCE_S) in (0, 1)
