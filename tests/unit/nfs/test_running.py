"""The serving process ends itself where only a new start helps, and answers only who knows its secret."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from app.nfs.service import control, running
from app.nfs.service.control import CONTROL_FILE, Request, ServiceAway, ask
from app.nfs.service.exports import Export, ExportFolder, ExportUnreadable, ServedDisk, new_export_id
from app.nfs.service.serving import Serving
from tests.support.logguard import LogGuard
from tests.support.waiting import wait_until


class Ended(Exception):
    """Stands for the end of the process."""


@contextmanager
def service(folder: Path) -> Iterator[list[object]]:
    """Run the service on a thread; gives what became of it."""
    ended: list[object] = []

    def run() -> None:
        try:
            ended.append(running.run_service(folder, mock.Mock(), port=0, portmap_port=0))
        except Ended as end:
            ended.append(end)

    thread = threading.Thread(target=run)
    with mock.patch.object(running, "_LOOK_S", 0.02):
        thread.start()
        wait_until((folder / CONTROL_FILE).exists, what="the service")
        try:
            yield ended
        finally:
            if not ended:
                ask(folder, Request(stop=True))
            thread.join(30)


def said(connection: socket.socket) -> bytes:
    """Return what the other side says next; nothing where it hangs up."""
    try:
        return connection.recv(1000)
    except ConnectionError:
        return b""


def test_it_answers_and_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    with service(tmp_path) as ended:
        assert ask(tmp_path, Request()).pid == os.getpid()
        assert ask(tmp_path, Request(look=True)).rows == ()
    assert ended == [running.STOPPED]
    assert not (tmp_path / CONTROL_FILE).exists()
    with pytest.raises(ServiceAway):
        ask(tmp_path, Request())


def test_after_a_failed_sync_it_ends_at_once(tmp_path: Path, log_guard: LogGuard) -> None:
    log_guard.expect("a disk could not be made durable")
    with (
        mock.patch.object(Serving, "has_failed", return_value=True),
        mock.patch.object(os, "_exit", side_effect=Ended) as exit_,
        service(tmp_path) as ended,
    ):
        wait_until(lambda: bool(ended), what="the end of the service")
    exit_.assert_called_once_with(running.FAILED)


def test_who_does_not_know_the_secret_hears_nothing(tmp_path: Path) -> None:
    with service(tmp_path):
        endpoint = json.loads((tmp_path / CONTROL_FILE).read_bytes())
        with socket.create_connection(("127.0.0.1", endpoint["port"]), timeout=10) as stranger:
            stranger.sendall(bytes(32))
            greeting = b""
            while len(greeting) < 64:
                greeting += stranger.recv(64 - len(greeting))
            stranger.sendall(bytes(32) + b"\0\0\0\x01\x80")
            assert said(stranger) == b""
        assert ask(tmp_path, Request()).pid == os.getpid()


def test_the_engine_says_nothing_to_an_impostor_at_the_port(tmp_path: Path) -> None:
    """The process has died, and another program listens where it did."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = {"pid": 1, "port": listener.getsockname()[1], "secret": "c2VjcmV0"}
        (tmp_path / CONTROL_FILE).write_text(json.dumps(endpoint))

        def impostor() -> None:
            connection, _ = listener.accept()
            with connection:
                heard.append(connection.recv(1000))
                connection.sendall(bytes(64))
                heard.append(said(connection))

        thread = threading.Thread(target=impostor)
        thread.start()
        with pytest.raises(ServiceAway, match="another program"):
            ask(tmp_path, Request(keys={"id": b"the key"}))
        thread.join(10)
    assert len(heard[0]) == 32, "a random number, and nothing else"
    assert heard[1] == b""


def test_the_keys_and_the_secret_name_are_not_shown() -> None:
    export = Export(
        id=new_export_id(),
        name="the secret name",
        place="web-01",
        number=1,
        clients=("10.0.0.1",),
        address="10.0.0.2",
        repository="/standby",
        repository_id="id",
        point="chain/stamp",
        folder="/standby/recoveries/one",
        disks=(ServedDisk(key=2000, path="flat"),),
    )
    assert "secret" not in repr(export)
    assert "the key" not in repr(Request(keys={"id": b"the key"}))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"format": 9}'])
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, content: bytes) -> None:
    folder, export_id = ExportFolder(tmp_path), new_export_id()
    (tmp_path / f"{export_id}.json").write_bytes(content)
    (tmp_path / "notes.txt").write_bytes(b"ignored")
    assert list(folder.ids()) == [export_id]
    with pytest.raises(ExportUnreadable):
        folder.read(export_id)
    folder.remove(export_id)
    assert list(folder.ids()) == []
    assert folder.read(export_id) is None
    for wrong in ("", "../x", "A" * 32):
        with pytest.raises(ValueError, match="not the id"):
            folder.read(wrong)
    assert control.CONTROL_FILE not in {path.name for path in tmp_path.iterdir()}
