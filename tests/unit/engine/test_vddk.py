"""Which VMware library is used: examined before it is kept, and shown as it is now."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.catalog import Catalog
from app.contract.vddk import ExamineVddk, ReadVddk, SetVddkFolder, VddkRow
from app.core.clock import SystemClock
from app.domain.errors import OperationalError
from app.domain.vddk import VddkLibrary
from app.engine.errors import RequestRefused
from app.engine.handlers import handler_table
from app.engine.log.journal import Journal
from app.engine.program.vddk import VddkHandlers, vddk_folder
from app.transport.factory import NativeTransports
from app.transport.vddk.folder import VddkUnusable
from tests.support.vddk_lab import VddkLab

pytestmark = pytest.mark.outside_tools("gcc")


@dataclass
class Site:
    """The handlers over a real catalog and the stand-in for the library."""

    lab: VddkLab
    catalog: Catalog
    handlers: dict[Any, Any]

    def ask(self, request: object) -> Any:
        """Have a request answered."""
        return self.handlers[type(request)](request)


def site_of(lab: VddkLab, catalog: Catalog, transports: Any) -> Site:
    journal = Journal(catalog.log, SystemClock())
    return Site(lab, catalog, dict(handler_table([VddkHandlers(catalog.settings, transports, journal)])))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    lab = VddkLab(tmp_path)
    catalog = Catalog.open(tmp_path / "catalog.db", clock=SystemClock())
    yield site_of(lab, catalog, lab.transports())
    catalog.close()
    assert lab.violations() == []


def test_a_good_folder_is_kept_and_shown(site: Site) -> None:
    folder = str(site.lab.folder)
    assert site.ask(ReadVddk()) == VddkRow()
    library = site.ask(SetVddkFolder(folder=f"  {folder} "))
    assert isinstance(library, VddkLibrary)
    assert library.version == "8.0.2"
    assert vddk_folder(site.catalog.settings) == folder
    assert site.ask(ReadVddk()) == VddkRow(folder=folder, library=library)
    assert site.ask(SetVddkFolder(folder="")) is None
    assert site.ask(ReadVddk()) == VddkRow()


def test_a_bad_folder_is_refused_and_the_one_before_stays(site: Site, tmp_path: Path) -> None:
    site.ask(SetVddkFolder(folder=str(site.lab.folder)))
    with pytest.raises(VddkUnusable, match="there is no such folder"):
        site.ask(SetVddkFolder(folder=str(tmp_path / "nothing")))
    assert vddk_folder(site.catalog.settings) == str(site.lab.folder)


def test_examining_changes_nothing(site: Site) -> None:
    assert site.ask(ExamineVddk(folder=str(site.lab.folder))).version == "8.0.2"
    assert vddk_folder(site.catalog.settings) == ""


def test_a_folder_that_went_bad_says_so(site: Site) -> None:
    site.ask(SetVddkFolder(folder=str(site.lab.folder)))
    site.lab.order("abort", "InitEx", 1)
    row = site.ask(ReadVddk())
    assert row.library is None
    assert row.error is not None
    assert "signal 6" in row.error.message
    assert "64-bit, 6.5 or newer" in row.error.hint


def test_an_engine_without_the_library_says_so(site: Site) -> None:
    bare = site_of(site.lab, site.catalog, NativeTransports())
    with pytest.raises(VddkUnusable, match="takes no VDDK"):
        bare.ask(SetVddkFolder(folder="/opt/vddk"))
    with pytest.raises(RequestRefused, match="take no VDDK"):
        site_of(site.lab, site.catalog, object()).ask(ExamineVddk(folder="/opt/vddk"))


def test_errors_are_those_of_operators() -> None:
    assert issubclass(VddkUnusable, OperationalError)
