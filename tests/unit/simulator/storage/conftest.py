from collections.abc import Iterator
from pathlib import Path

import pytest

from app.simulator.storage import DiskStore, SimDatastore


@pytest.fixture
def datastore(tmp_path: Path) -> SimDatastore:
    return SimDatastore("ds1", tmp_path / "ds1", 1 << 30)


@pytest.fixture
def store(datastore: SimDatastore, tmp_path: Path) -> Iterator[DiskStore]:
    other = SimDatastore("ds2", tmp_path / "ds2", 1 << 30)
    store = DiskStore({"ds1": datastore, "ds2": other}, seed=1)
    yield store
    store.close()
