"""Serves recoveries in a process of its own, so that neither the engine nor the window is their fate.

What is to be served is in files (``exports``), which the engine writes and removes. ``running`` is the process: it
serves what they say (``serving``, ``opening``, ``shares``), looks at their standbys (``health``) and answers the
engine (``control``). ``process`` is the engine's side: it starts the process, watches it, and starts it again.
Whichever of them is killed at any moment, the next start finds the files.

A standby that is away, hangs, is full or read-only ends nothing: hosts are asked to wait, the rows say what is
wrong, and it is tried again. What comes back under its path is proven first to be what was there (``begun``):
nothing is written into anything else, and nothing is read from it.

Keys of encrypted repositories are handed over by the engine, and are in the process's memory only: while nobody
has handed them over, such a recovery waits.
"""

from app.nfs.service.control import Answer
from app.nfs.service.exports import (
    EXPORTS_FOLDER,
    Export,
    ExportFolder,
    ExportUnreadable,
    ServedDisk,
    ServedFile,
    new_export_id,
    new_export_name,
)
from app.nfs.service.opening import KeyMissing, Source, disk_folder
from app.nfs.service.process import NfsService, NfsServiceDidNotStart
from app.nfs.service.running import run_service
from app.nfs.service.serving import ServingRow, ServingState

__all__ = [
    "EXPORTS_FOLDER",
    "Answer",
    "Export",
    "ExportFolder",
    "ExportUnreadable",
    "KeyMissing",
    "NfsService",
    "NfsServiceDidNotStart",
    "ServedDisk",
    "ServedFile",
    "ServingRow",
    "ServingState",
    "Source",
    "disk_folder",
    "new_export_id",
    "new_export_name",
    "run_service",
]
