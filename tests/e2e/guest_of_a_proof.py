"""Proves a restore point twice: its VM stays silent at first, then a real guest boots from what the proof serves.

Run in a network namespace of its own, which gives it the ports 111 and 2049: ``python -m
tests.e2e.guest_of_a_proof FOLDER``.
"""

import json
import subprocess
import sys
from pathlib import Path

from app.domain.restore_point import RestorePoint
from tests.support.guest import boot_command, guest_image, what_it_said
from tests.support.proof_lab import ProofLab


def prove(lab: ProofLab, point: RestorePoint, console: Path | None) -> list[object]:
    """Prove a point whose guest QEMU runs from the proof's own export; without a console nothing runs it.

    The simulated console shows a login in both cases: only what a guest writes tells them apart.
    """
    task = lab.submit(lab.spec(point, limit_s=300.0 if console else 8.0))
    machine = lab.started_vm()
    if console is not None:
        (recovery,) = lab.service.exports.ids()
        export = lab.service.exports.read(recovery)
        assert export is not None
        url = f"nfs://127.0.0.1/{export.name}/{export.place}/{export.disks[0].path}"
        subprocess.run(boot_command(f"file={url}", console), timeout=180, check=True)
    lab.boot(machine)
    state = lab.finished(task).task.state.value
    lab.check_nothing_left()
    return [state, lab.reason(point)]


def main(folder: Path) -> None:
    """Print how both proofs ended, and what the guest said."""
    image = guest_image().path.read_bytes()
    lab = ProofLab.make(folder, disk_bytes=len(image))
    lab.ports = (2049, 111)
    lab.simulator.world.nas.port = 2049
    with lab.simulator, lab:
        lab.write("web", 0, image)
        point = lab.backup()
        silent = prove(lab, point, None)
        lab.pictures = 0
        booted = prove(lab, point, folder / "console")
    said = what_it_said(folder / "console")
    print(json.dumps({"silent": silent, "booted": booted, "said": [said.boots, said.payload_sum]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
