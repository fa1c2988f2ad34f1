"""Catalogs for labs: the first start's schema is made once per process, and copied where a lab begins one."""

import shutil
import tempfile
from collections.abc import Callable
from datetime import tzinfo
from functools import cache
from pathlib import Path

from app.catalog import Catalog
from app.catalog.database import Database
from app.core.clock import Clock
from app.core.privatefiles import make_private_folders
from app.core.zones import local_zone

NAME = "catalog.db"


def lab_catalog(folder: Path, *, clock: Clock, zone: Callable[[], tzinfo] = local_zone) -> Catalog:
    """Open the catalog in a folder; begin it there with tables that are made already.

    Making the tables costs as much as what most tests do with them. What is copied is what a first start leaves
    that ends before the catalog has an identity; every other step of opening is the program's own. Tests of the
    catalog itself and of whole programs make their tables.
    """
    file = folder / NAME
    make_private_folders(folder)
    if not any(folder.glob(f"{NAME}*")):  # neither a catalog, nor traces of one that is lost
        file.write_bytes(_with_tables())
        file.chmod(0o600)
    return Catalog.open(file, clock=clock, zone=zone)


@cache
def _with_tables() -> bytes:
    folder = Path(tempfile.mkdtemp(prefix="sf-catalog-"))
    try:
        Database.open(folder / NAME).close()
        return (folder / NAME).read_bytes()
    finally:
        shutil.rmtree(folder)
