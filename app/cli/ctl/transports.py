"""``platform transports|probe|report``: the ways to a platform's disks."""

from argparse import Namespace
from pathlib import Path

from app.cli.ctl.names import find_platform
from app.cli.ctl.screen import Screen, size
from app.cli.ctl.tasks import DONE, FAILED
from app.contract.doctor import ReportPlatform
from app.contract.door import Door
from app.contract.transports import ProbeTransports, SetTransports
from app.core.durable import replace_durably
from app.domain.states import PLAIN_MODES, TransportMode
from app.domain.transports import BEST_FIRST, LAN_FREE

MODES = tuple(mode.value for mode in BEST_FIRST)
"""What may be typed."""


def order_transports(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Show the order in which the ways to a platform's disks are tried, or choose it."""
    platform = find_platform(door, chosen.name)
    unknown = [name for name in chosen.modes if name not in MODES]
    if unknown:
        screen.remark(f"{', '.join(unknown)}: no transport mode; there are {', '.join(MODES)}")
        return FAILED
    if chosen.modes:
        wanted = tuple(TransportMode(name) for name in chosen.modes)
        platform = door.execute(SetTransports(platform=platform.id, transports=wanted))
    rows = [
        (mode.value, "yes" if mode in LAN_FREE else "no", "no" if mode in PLAIN_MODES else "yes")
        for mode in platform.transports
    ]
    screen.table(("mode", "LAN-free", "encrypted"), rows, platform.transports)
    return DONE


def probe_transports(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Open a disk that nobody writes to in every mode, and read its beginning."""
    platform = find_platform(door, chosen.name)
    probed = door.ask(ProbeTransports(platform=platform.id))
    rows = [
        (
            one.mode.value,
            "yes" if one.error is None else "no",
            None if one.bytes_per_s is None else f"{size(one.bytes_per_s)}/s",
            None if one.error is None else one.error.message,
        )
        for one in probed.modes
    ]
    screen.line(f"{probed.disk} of {probed.vm_name}")
    screen.table(("mode", "works", ">speed", "reason"), rows, probed)
    return DONE if any(one.error is None for one in probed.modes) else FAILED


def report_platform(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Examine a platform and write a report that can be sent to somebody."""
    platform = find_platform(door, chosen.name)
    text = door.ask(ReportPlatform(platform=platform.id, blurs_names=not chosen.names))
    path = Path(chosen.file)
    try:
        replace_durably(path, text.encode())
    except OSError as error:
        screen.remark(f"{path} cannot be written: {error.strerror or error}")
        return FAILED
    screen.facts([("Report", str(path))], {"file": str(path)})
    return DONE
