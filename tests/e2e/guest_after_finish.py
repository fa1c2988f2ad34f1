"""Boots a guest from an instant recovery, moves its VM to a datastore, and boots it from there.

Run in a network namespace of its own, which gives it the ports 111 and 2049: ``python -m
tests.e2e.guest_after_finish FOLDER``.
"""

import json
import subprocess
import sys
from pathlib import Path

from app.contract.instant import FinishInstantRecovery
from app.domain.instant import FinishWay
from tests.support.guest import Boot, boot_command, guest_image, problems_of, what_it_said
from tests.support.instant_lab import InstantLab


def boot(drive: str, console: Path) -> Boot:
    """Boot a guest until it powers off; return what it said."""
    subprocess.run(boot_command(drive, console), timeout=120, check=True)
    return what_it_said(console)


def main(folder: Path) -> None:
    """Print what the guest said before and after the move, and what is wrong with its file system then."""
    image = guest_image().path.read_bytes()
    lab = InstantLab.make(folder, disk_bytes=len(image))
    lab.ports = (2049, 111)
    lab.simulator.world.nas.port = 2049
    with lab.simulator, lab:
        lab.write("web", 0, image)
        row = lab.started(lab.backup(), power_on=False)
        export = lab.service.exports.read(row.id)
        assert export is not None
        url = f"nfs://127.0.0.1/{export.name}/{export.place}/{export.disks[0].path}"
        said = [boot(f"file={url}", folder / f"console-{number}") for number in range(2)]
        finish = FinishInstantRecovery(recovery=row.id, way=FinishWay.COLD, datastore="ds1", power_on=False)
        lab.completed(lab.engine.execute(finish))
        copy = folder / "disk-after"
        copy.write_bytes(lab.content("web-now"))
    said.append(boot(f"file={copy}", folder / "console-after"))
    found = {"said": [(one.boots, one.payload_sum) for one in said], "problems": problems_of(copy, folder)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
