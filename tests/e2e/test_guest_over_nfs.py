"""A real guest runs from a restore point, whatever happens to the server meanwhile."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.guest import guest_image, why_not

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None,
        reason="needs a network namespace",
    ),
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "a guest can run"),
    pytest.mark.timeout(400),
]


def run_alone(module: str, folder: Path) -> dict[str, Any]:
    """Run a module in a network namespace of its own; return what it printed last."""
    guest_image()  # its kernel is downloaded, which the namespace does not allow
    inside = ["bash", "-c", 'ip link set lo up && exec "$@"', "bash", sys.executable]
    command = ["unshare", "-n", *inside, "-m", module, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_guest_boots_three_times_over_killed_servers_and_its_disk_is_whole(tmp_path: Path) -> None:
    found = run_alone("tests.e2e.guest_over_nfs", tmp_path)
    assert found["said"] == [[number, guest_image().payload_sum] for number in (1, 2, 3)]
    assert found["kills"] >= 2
    assert found["problems"] == ""


def test_a_guest_that_ran_from_its_restore_point_boots_where_it_was_moved_to(tmp_path: Path) -> None:
    found = run_alone("tests.e2e.guest_after_finish", tmp_path)
    assert found["said"] == [[number, guest_image().payload_sum] for number in (1, 2, 3)], "its boots are counted"
    assert found["problems"] == ""


def test_a_point_is_proven_when_a_real_guest_boots_from_what_the_proof_serves(tmp_path: Path) -> None:
    found = run_alone("tests.e2e.guest_of_a_proof", tmp_path)
    assert found["silent"] == ["failed", "proof.console_still"]
    assert found["booted"] == ["completed", "proof.screen_stands"]
    assert found["said"] == [1, guest_image().payload_sum], "a proof leaves nothing that a guest wrote"
