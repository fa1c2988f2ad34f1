"""``pin …``: restore points that are in use for long, and an end to pins whose console is gone."""

from argparse import Namespace
from collections.abc import Iterable, Iterator

from app.cli.ctl.names import find, find_standby
from app.cli.ctl.screen import Screen
from app.cli.ctl.tasks import DONE, FAILED
from app.contract.door import Door
from app.contract.pins import EndPin, ListPins, PinProblem, PinRow

_PROBLEMS = {PinProblem.UNREADABLE: "unreadable", PinProblem.NEWER: "of a newer version"}


def list_pins(door: Door, screen: Screen, chosen: Namespace) -> int:
    """List the pins at a standby machine, the oldest first."""
    rows = door.ask(ListPins(standby=find_standby(door, chosen.standby).id))
    columns = ("pin", "VM", "point", "backed up at", "used for", "used by", "since", "state", "directory")
    cells = (
        (
            row.id,
            row.vm_name,
            row.point,
            row.point_at,
            row.purpose,
            _holder(row),
            row.since,
            _state(row),
            row.target_path or "/",
        )
        for row in rows
    )
    screen.table(columns, cells, rows)
    return DONE


def end_pin(door: Door, screen: Screen, chosen: Namespace) -> int:
    """End a pin whose console is gone for good; without ``--yes`` say what that would do, and refuse."""
    standby = find_standby(door, chosen.standby)
    rows = door.ask(ListPins(standby=standby.id))
    if chosen.target_path is not None:
        directory = chosen.target_path.strip("/")
        rows = tuple(row for row in rows if row.target_path == directory)
    row = find("pin", chosen.pin, rows, lambda row: (row.id,))
    if not chosen.yes:
        for line in _consequences(row):
            screen.remark(line)
        screen.remark("Nothing was changed." if row.is_at_work else "Nothing was changed. To confirm it: --yes")
        return FAILED
    door.execute(EndPin(standby=standby.id, target_path=row.target_path, pin=row.id))
    screen.facts(_facts(row), row)
    return DONE


def _facts(row: PinRow) -> Iterable[tuple[str, object]]:
    yield "Ended", row.id
    yield "Directory", row.target_path or "/"
    if row.problem is None:
        yield "Restore point", row.point
        yield "VM", row.vm_name or None
        yield "Used by", _holder(row)


def _consequences(row: PinRow) -> Iterator[str]:
    directory = row.target_path or "/"
    if row.problem is not None:
        yield f"It is not known which restore point in {directory} the pin {row.id} keeps: it is {_state(row)}."
        yield f"While it is there, no restore point in {directory} is deleted and no garbage is collected."
        yield "End it only if no console uses a restore point there any more: otherwise that one can be lost."
        return
    vm = f" of {row.vm_name}" if row.vm_name else ""
    since = "" if row.since is None else f" since {row.since.astimezone():%Y-%m-%d %H:%M:%S}"
    yield f"The restore point {row.point}{vm} is in use by {_holder(row)}{since} ({row.purpose})."
    if row.is_at_work:
        yield "The pin ends with that work only."
        return
    yield "Once the pin is ended, an operator or retention can delete it."
    if not row.is_ours:
        yield "A machine that only sleeps comes back and loses it then; a recovery that runs from it breaks."
        yield "End the pin only if that console does not exist any more."


def _holder(row: PinRow) -> str | None:
    if row.problem is not None:
        return None
    return "this console" if row.is_ours else row.host or "another console"


def _state(row: PinRow) -> str:
    if row.problem is not None:
        return _PROBLEMS[row.problem]
    if row.is_ours:
        return "at work" if row.is_at_work else "left over"
    return ""
