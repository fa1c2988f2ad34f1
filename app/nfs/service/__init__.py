"""Serves recoveries in a process of its own, so that neither the engine nor the window is their fate.

What is to be served is in files (``exports``), which the engine writes and removes. ``running`` is the process: it
serves what they say (``serving``) and answers the engine (``control``). ``process`` is the engine's side: it
starts the process, watches it, and starts it again. Whichever of them is killed at any moment, the next start
finds the files.

Keys of encrypted repositories are handed over by the engine, and are in the process's memory only: while nobody
has handed them over, such a recovery waits.
"""

from app.nfs.service.exports import Export, ExportFolder, ServedDisk, ServedFile, new_export_id, new_export_name
from app.nfs.service.process import NfsService, NfsServiceDidNotStart
from app.nfs.service.running import EXPORTS_FOLDER, run_service
from app.nfs.service.serving import KeyMissing, ServingRow, ServingState, Source

__all__ = [
    "EXPORTS_FOLDER",
    "Export",
    "ExportFolder",
    "KeyMissing",
    "NfsService",
    "NfsServiceDidNotStart",
    "ServedDisk",
    "ServedFile",
    "ServingRow",
    "ServingState",
    "Source",
    "new_export_id",
    "new_export_name",
    "run_service",
]
