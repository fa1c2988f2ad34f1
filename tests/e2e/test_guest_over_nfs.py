"""A real guest runs from a restore point, whatever happens to the server meanwhile."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

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


def test_a_guest_boots_three_times_over_killed_servers_and_its_disk_is_whole(tmp_path: Path) -> None:
    image = guest_image()
    inside = ["bash", "-c", 'ip link set lo up && exec "$@"', "bash", sys.executable]
    command = ["unshare", "-n", *inside, "-m", "tests.e2e.guest_over_nfs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["said"] == [[number, image.payload_sum] for number in (1, 2, 3)]
    assert found["kills"] >= 2
    assert found["problems"] == ""
