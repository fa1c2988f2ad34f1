"""``vddk …``: VMware's library for disks, which the operator may supply."""

from argparse import Namespace
from pathlib import Path

from app.cli.ctl.screen import Screen
from app.cli.ctl.tasks import DONE
from app.contract.door import Door
from app.contract.vddk import ExamineVddk, ReadVddk, SetVddkFolder, VddkRow
from app.domain.vddk import VddkLibrary


def show_vddk(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Show which library is used, and how it is now; or examine the one in a folder."""
    if chosen.folder:
        library = door.ask(ExamineVddk(folder=str(Path(chosen.folder).absolute())))
        screen.facts(_facts(library), library)
    else:
        _show(screen, door.ask(ReadVddk()))
    return DONE


def set_vddk(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Use the library in a folder, after it was examined."""
    door.execute(SetVddkFolder(folder=str(Path(chosen.folder).absolute())))
    _show(screen, door.ask(ReadVddk()))
    return DONE


def clear_vddk(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Use none any more."""
    del chosen
    door.execute(SetVddkFolder(folder=""))
    _show(screen, door.ask(ReadVddk()))
    return DONE


def _show(screen: Screen, row: VddkRow) -> None:
    if row.library is not None:
        facts = _facts(row.library)
    elif row.error is not None:
        facts = [("Folder", row.folder), ("Problem", row.error.message), ("Remedy", row.error.hint)]
        facts += [("Details", row.error.details)] if row.error.details else []
    else:
        facts = [("Folder", None)]
    screen.facts(facts, row)


def _facts(library: VddkLibrary) -> list[tuple[str, object]]:
    return [
        ("Folder", library.folder),
        ("Library", library.file),
        ("Version", library.version),
        ("Architecture", library.architecture),
        ("Allocated blocks", "listed" if library.lists_allocated else "not listed, it is too old"),
    ]
