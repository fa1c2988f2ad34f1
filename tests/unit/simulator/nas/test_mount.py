"""One mount of an export, used by many threads at once."""

import threading
from collections.abc import Iterator

import pytest

from app.simulator.nas import NasDatastore, NasMount, NasPath, NasSettings
from app.simulator.storage import GRAIN_BYTES, DatastoreLost, DiskStore
from app.simulator.storage.places import in_a_hurry
from tests.support.waiting import wait_until
from tests.unit.nfs.conftest import SECRET, Site

MIB = 1 << 20


@pytest.fixture
def mount(site: Site) -> Iterator[NasMount]:
    settings = NasSettings(port=site.server.port, heartbeat_s=0.1, silence_s=0.2)
    made = NasMount("nas", ("127.0.0.1", f"/{SECRET}"), settings)
    try:
        yield made
    finally:
        made.close()


def test_many_threads_write_and_read_at_once(mount: NasMount) -> None:
    store = DiskStore({"nas": NasDatastore("nas", mount)})
    disks = [store.create(f"[nas] {number}/disk.vmdk", 4 * MIB) for number in range(8)]

    def write(number: int) -> None:
        for step in range(40):
            disks[number].write(step * GRAIN_BYTES + number, bytes([number + 1]) * 5000)
            assert disks[number].read(step * GRAIN_BYTES + number, 5000) == bytes([number + 1]) * 5000

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(disks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, disk in enumerate(disks):
        assert set(disk.read(0, 4 * MIB)) == {0, number + 1}
    store.close()


def test_a_path_is_what_pathlib_would_say(mount: NasMount) -> None:
    root = NasPath(mount)
    folder = root / "a" / "b"
    assert not folder.exists()
    (root / "a").make_folder()
    folder.make_folder()
    (folder / "file.txt").put("Größe".encode())
    assert (folder / "file.txt").read_text("utf-8") == "Größe"
    assert [path.as_posix() for path in sorted(root.rglob("*"))] == ["/a", "/a/b", "/a/b/file.txt"]
    assert ((folder / "file.txt").parent, (folder / "file.txt").suffix) == (folder, ".txt")
    with pytest.raises(FileExistsError):
        (folder / "file.txt").open_file(0)
    with pytest.raises(FileNotFoundError):
        (folder / "none").unlink()
    (folder / "none").unlink(missing_ok=True)
    assert (folder / "file.txt").is_file()
    assert folder.is_dir()
    assert not (folder / "file.txt" / "below").exists()


def test_a_disk_of_terabytes_takes_no_memory(mount: NasMount) -> None:
    store = DiskStore({"nas": NasDatastore("nas", mount)})
    capacity = 8 << 40
    disk = store.create("[nas] big/big.vmdk", capacity)
    disk.write(capacity - 5, b"close")
    store.close()
    again = store.open("[nas] big/big.vmdk")
    assert again.read(capacity - 10, 10) == b"\0" * 5 + b"close"
    assert again.allocated_areas()[0].length_bytes == capacity, "a server does not say what is a hole"
    store.close()


def test_who_is_in_a_hurry_does_not_wait_for_a_server_that_is_away(mount: NasMount, site: Site) -> None:
    port = site.server.port
    site.stop()
    wait_until(lambda: mount.presence.value != "", what="the server is away")
    with in_a_hurry(), pytest.raises(DatastoreLost):
        NasPath(mount).exists()
    site.start(port)


def test_who_waits_hears_that_it_was_unmounted(mount: NasMount, site: Site) -> None:
    file = (NasPath(mount) / "file").open_file(10)
    port, failures = site.server.port, []

    def write() -> None:
        try:
            file.write(0, b"never")
        except DatastoreLost as failure:
            failures.append(failure)

    site.stop()
    thread = threading.Thread(target=write)
    thread.start()
    wait_until(lambda: mount.presence.value != "", what="the server is away")
    mount.close()
    thread.join()
    assert len(failures) == 1
    file.close()
    site.start(port)
