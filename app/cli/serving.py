"""``standfast nfs``: the process that VMs run from; the engine starts it, nobody types it."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from app.core.clock import SystemClock
from app.core.disks import DiskReader
from app.core.nfs3 import NFS_PORT, PORTMAP_PORT
from app.domain.ids import PointId
from app.logs import ProgramLog
from app.nfs.service import Export, KeyMissing, Source, run_service
from app.repository import MasterKey, PointReader, Repository, RepositoryFacts, inspect_repository
from app.repository.errors import RepositoryMissing

_log = logging.getLogger(__name__)


def serve(arguments: Sequence[str]) -> int:
    """Serve the exports of a folder until the process is asked to end; return its exit status."""
    parser = argparse.ArgumentParser(prog="standfast nfs", description=serve.__doc__)
    parser.add_argument("--locators", type=Path, required=True, help="where places of chunks are kept")
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--port", type=int, default=NFS_PORT)
    parser.add_argument("--portmap-port", type=int, default=PORTMAP_PORT)
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    with ProgramLog(chosen.logs, name="nfs"):

        def open_source(export: Export, key: bytes | None) -> Source:
            return _RestorePoint(export, key, chosen.locators)

        try:
            return run_service(chosen.folder, open_source, port=chosen.port, portmap_port=chosen.portmap_port)
        except OSError:
            _log.exception("the service cannot use its folder")
            raise


class _RestorePoint:
    """A restore point that the engine keeps with a pin. Fulfils :class:`app.nfs.service.Source`."""

    def __init__(self, export: Export, key: bytes | None, locators: Path) -> None:
        """Open it.

        Raises:
            KeyMissing: its repository is encrypted, and no key was given.
            OperationalError: it cannot be opened.
        """
        root, self._export = Path(export.repository), export
        facts = self._inspected()
        if facts.is_encrypted and key is None:
            raise KeyMissing
        master = None if key is None else MasterKey(key.decode("ascii"))
        self._repository = Repository.open(root, local_dir=locators, clock=SystemClock(), key=master)
        try:
            self._reader: PointReader = self._repository.open_held(PointId(export.point))
        except BaseException:
            self._repository.close()
            raise

    def _inspected(self) -> RepositoryFacts:
        root = Path(self._export.repository)
        facts = inspect_repository(root)
        if facts.id != self._export.repository_id:
            raise RepositoryMissing(path=root)
        return facts

    def check(self) -> None:
        """Do :meth:`app.nfs.service.Source.check`."""
        self._inspected()

    def open_disk(self, key: int) -> DiskReader:
        """Do :meth:`app.nfs.service.Source.open_disk`."""
        return self._reader.open_disk(key)

    def close(self) -> None:
        """Do :meth:`app.nfs.service.Source.close`."""
        self._reader.close()
        self._repository.close()
