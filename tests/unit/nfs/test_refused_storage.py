"""The standby refuses while names and files are changed: nothing half done is seen, now or after a restart."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from app.nfs.names import NameFile, Names
from tests.support.nfs_client import CREATE, FILE_SYNC, NO_ATTRIBUTES, Refused, opaque, u32
from tests.unit.nfs.conftest import SECRET, Site

NOSPC, JUKEBOX = 28, 10008


@contextmanager
def refusing(error: int, *, is_stored: bool) -> Iterator[None]:
    """Let storing the names fail, before or after they are in place."""
    store = NameFile.store

    def refuse(self: NameFile, names: Names) -> None:
        if is_stored:
            store(self, names)
        raise OSError(error, os.strerror(error))

    with mock.patch.object(NameFile, "store", refuse):
        yield


@pytest.mark.parametrize("is_stored", [False, True], ids=["before", "after it is in place"])
@pytest.mark.parametrize(
    ("error", "status"),
    [(errno.ENOSPC, NOSPC), (errno.EIO, JUKEBOX), (errno.ESTALE, JUKEBOX), (errno.EROFS, JUKEBOX)],
)
def test_a_refused_change_is_refused_and_the_volume_is_whole(
    site: Site, error: int, status: int, *, is_stored: bool
) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    kept = client.create(root, "kept")
    client.write(kept, 0, b"content")
    with refusing(error, is_stored=is_stored):
        for change in (
            lambda: client.create(root, "new"),
            lambda: client.mkdir(root, "folder"),
            lambda: client.rename(root, "kept", root, "renamed"),
        ):
            with pytest.raises(Refused, match=f"^{status}$"):
                change()
    assert {name for name, _ in client.names(root)} == {"kept"}
    assert client.read(kept, 0, 100)[0] == b"content"
    site.restart()
    client = site.client()
    assert client.read(kept, 0, 100)[0] == b"content", "whatever it is called"
    for name, _ in client.names(root):
        client.facts(client.lookup(root, name))
    another = client.create(root, "another")
    client.write(another, 0, b"x")
    assert client.read(another, 0, 10)[0] == b"x"


def test_a_file_whose_sync_failed_takes_nothing_more_until_a_restart(site: Site) -> None:
    client = site.client()
    root = client.mount(f"/{SECRET}")
    file = client.create(root, "file")

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with mock.patch.object(os, "fdatasync", fail), pytest.raises(Refused, match=f"^{JUKEBOX}$"):
        client.write(file, 0, b"x", FILE_SYNC)
    with pytest.raises(Refused, match=f"^{JUKEBOX}$"):
        client.write(file, 0, b"x", FILE_SYNC)
    site.restart()
    client = site.client()
    client.write(file, 0, b"y", FILE_SYNC)
    assert client.read(file, 0, 1)[0] == b"y"


def test_what_a_killed_server_left_without_a_name_goes(site: Site) -> None:
    client = site.client()
    client.create(client.mount(f"/{SECRET}"), "file")
    site.stop()
    stray = Path(site.folder) / "files" / "4711"
    stray.write_bytes(b"nobody's")
    site.start()
    assert not stray.exists()


def test_an_interrupted_request_that_comes_again_is_done(site: Site) -> None:
    """What was refused is remembered as well: a client asks with another number once there is space again."""
    client = site.client()
    root = client.mount(f"/{SECRET}")
    body = opaque(root) + opaque(b"file") + u32(1) + NO_ATTRIBUTES
    with refusing(errno.ENOSPC, is_stored=False):
        first = client.ask(CREATE, body, xid=1)
    assert first.u32() == NOSPC
    assert client.ask(CREATE, body, xid=1).u32() == NOSPC
    assert client.ask(CREATE, body, xid=2).u32() == 0
