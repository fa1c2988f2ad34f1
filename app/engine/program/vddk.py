"""Which VMware library (VDDK) the operator has named."""

from app.contract.errors import ErrorRow
from app.contract.vddk import ExamineVddk, ReadVddk, SetVddkFolder, VddkRow
from app.core.access import DiskTransports, ExaminesVddk
from app.domain.errors import OperationalError
from app.domain.vddk import VddkLibrary
from app.engine import messages
from app.engine.errors import RequestRefused
from app.engine.handlers import handles
from app.engine.log.journal import Journal
from app.engine.ports import SettingsStore
from app.engine.reasons import NO_VDDK_HERE

_DOCUMENT = "vddk.folder"


def vddk_folder(store: SettingsStore) -> str:
    """Return the folder that the operator has named; empty where there is none.

    Raises:
        OperationalError: the catalog cannot be read.
    """
    return store.get(_DOCUMENT) or ""


class VddkHandlers:
    """Answers about VMware's library. Thread: any."""

    def __init__(self, store: SettingsStore, transports: DiskTransports, journal: Journal) -> None:
        self._store = store
        self._transports = transports
        self._journal = journal

    @handles(SetVddkFolder)
    def _set(self, command: SetVddkFolder) -> VddkLibrary | None:
        folder = command.folder.strip()
        library = self._examined(folder) if folder else None
        self._store.put(_DOCUMENT, folder)
        log = self._journal.about("", "engine.vddk")
        if library is None:
            log.info(messages.VDDK_GIVEN_UP)
        else:
            log.info(messages.VDDK_CHOSEN, version=library.version, folder=folder)
        return library

    @handles(ExamineVddk)
    def _examine(self, query: ExamineVddk) -> VddkLibrary:
        return self._examined(query.folder.strip())

    @handles(ReadVddk)
    def _read(self, _: ReadVddk) -> VddkRow:
        folder = vddk_folder(self._store)
        if not folder:
            return VddkRow()
        try:
            return VddkRow(folder=folder, library=self._examined(folder))
        except OperationalError as error:
            return VddkRow(folder=folder, error=ErrorRow.of(error))

    def _examined(self, folder: str) -> VddkLibrary:
        if not isinstance(self._transports, ExaminesVddk):
            raise RequestRefused(detail=NO_VDDK_HERE)
        return self._transports.examine_vddk(folder)
