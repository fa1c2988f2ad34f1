"""Boots a guest from a restore point over NFS three times, with kills of the server between and under it.

Run in a network namespace of its own, which gives it the ports 111 and 2049: ``python -m
tests.e2e.guest_over_nfs FOLDER``.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.guest import boot_command, guest_image, problems_of, what_it_said
from tests.support.nfs_service import DISK, PLACE, ServiceLab
from tests.support.waiting import wait_until

MIB = 1 << 20


def main(folder: Path) -> None:
    """Print what the guest said at each boot, and what is wrong with its file system afterwards."""
    lab = ServiceLab(folder, guest_image().path.read_bytes(), ports=(2049, 111))
    url = f"nfs://127.0.0.1/{lab.export.name}/{PLACE}/{DISK}"
    said, kills = [], 0
    with lab.running() as service:
        for number in range(3):
            console = folder / f"console-{number}"
            with subprocess.Popen(boot_command(f"file={url}", console)) as guest:
                if number:  # under the guest, while it boots and while it writes
                    for pause_s in (1.5, 2.0):
                        time.sleep(pause_s)
                        answer = service.status()
                        if answer is not None and guest.poll() is None:
                            os.kill(answer.pid, signal.SIGKILL)
                            kills += 1
                guest.wait(timeout=120)
            boot = what_it_said(console)
            said.append((boot.boots, boot.payload_sum))
            wait_until(lambda: service.status() is not None, what="the service")
        client = lab.client()
        disk = lab.disk(client)
        copy = folder / "disk-after"
        with copy.open("wb") as file:
            for start in range(0, len(lab.content), MIB):
                file.write(client.read(disk, start, MIB)[0])
    print(json.dumps({"said": said, "kills": kills, "problems": problems_of(copy, folder)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
