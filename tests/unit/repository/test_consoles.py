"""Consoles: one that was taken over writes nothing any more, and nobody else can stop it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.progress import Progress
from app.domain.extents import Extent
from app.repository import Passphrase, Repository
from app.repository.documents import encode_document
from app.repository.errors import LinkRefused, RulesTakenOver, WrittenByNewer
from app.repository.values import MIB
from tests.unit.repository.helpers import (
    SMALL,
    MemoryDisk,
    back_up,
    collect_garbage,
    disk_draft,
    point_draft,
    random_bytes,
    read_back,
)

OLD, NEW = "0" * 20, "1" * 20
PASSPHRASE = "otter lamp crane seventeen"


@contextmanager
def opened(folder: Path, holder: str, passphrase: str | None = None) -> Iterator[Repository]:
    root = folder / "standby"
    if not root.exists():
        local = folder / "made"
        Repository.create(root, SMALL, local_dir=local, clock=SystemClock(), passphrase=passphrase).close()
    key = None if passphrase is None else Passphrase(passphrase)
    with Repository.open(root, local_dir=folder / holder, clock=SystemClock(), key=key, holder=holder) as made:
        yield made


def test_a_console_that_was_taken_over_reads_and_writes_nothing(tmp_path: Path) -> None:
    content = random_bytes(MIB)
    with opened(tmp_path, OLD) as old, opened(tmp_path, NEW) as new:
        old.publish_rules(b"{}")
        point = back_up(old, MemoryDisk(content))
        new.take_over(OLD)

        for refused in (
            lambda: old.begin_point(point_draft(1)),
            lambda: old.delete_point(point.id),
            lambda: old.take_back_point(point.id),
            lambda: old.publish_rules(b"{}"),
            lambda: collect_garbage(old),
            lambda: old.maintenance.repair((), cancel=CancelToken()),
        ):
            with pytest.raises(RulesTakenOver):
                refused()
        assert read_back(old, point.id) == content
        assert [known.id for known in new.points().points] == [point.id]
        new.delete_point(point.id)


def test_a_backup_that_runs_when_its_console_is_taken_over_makes_no_point(tmp_path: Path) -> None:
    with opened(tmp_path, OLD) as old, opened(tmp_path, NEW) as new:
        with old.begin_point(point_draft()) as writer:
            disk = MemoryDisk(random_bytes(MIB))
            extents = [Extent(0, MIB)]
            writer.write_disk(
                disk_draft(MIB), disk, extents, parent=None, progress=Progress(), cancel=CancelToken()
            )
            new.take_over(OLD)
            with pytest.raises(RulesTakenOver):
                writer.commit()
        assert new.points().points == ()


def test_the_one_that_takes_over_is_stopped_by_nothing_of_its_own(tmp_path: Path) -> None:
    with opened(tmp_path, OLD) as old, opened(tmp_path, NEW) as new:
        new.take_over(OLD)
        old.take_over(NEW)

        back_up(old, MemoryDisk(random_bytes(MIB)))
        with pytest.raises(RulesTakenOver):
            new.begin_point(point_draft(1))


def test_garbage_collection_leaves_the_copies(tmp_path: Path) -> None:
    with opened(tmp_path, OLD) as old:
        old.publish_rules(b'{"rules":[]}')
        (tmp_path / "standby" / "consoles" / "torn.new").write_bytes(b"half")
        collect_garbage(old)
        (copy,) = old.consoles.listing()
        assert (copy.rules, copy.is_ours, copy.taken) == (b'{"rules":[]}', True, None)
        assert not (tmp_path / "standby" / "consoles" / "torn.new").exists()


def test_nobody_without_the_key_stops_a_console_of_an_encrypted_repository(tmp_path: Path) -> None:
    with opened(tmp_path, OLD, PASSPHRASE) as old:
        old.publish_rules(b"{}")
        forged = {
            "format": 1,
            "repository": old.id,
            "console": OLD,
            "by": NEW,
            "host": "x",
            "at": "2026-01-01T00:00Z",
        }
        (tmp_path / "standby" / "consoles" / f"{OLD}.taken").write_bytes(encode_document(forged))
        back_up(old, MemoryDisk(random_bytes(MIB)))


def test_what_was_moved_from_another_console_stops_nobody(tmp_path: Path) -> None:
    other = "2" * 20
    with opened(tmp_path, OLD, PASSPHRASE) as old, opened(tmp_path, NEW, PASSPHRASE) as new:
        new.take_over(other)
        consoles = tmp_path / "standby" / "consoles"
        (consoles / f"{OLD}.taken").write_bytes((consoles / f"{other}.taken").read_bytes())
        back_up(old, MemoryDisk(random_bytes(MIB)))


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 100, encode_document({"format": 1, "console": "x"})])
def test_what_cannot_be_read_is_no_console(tmp_path: Path, content: bytes) -> None:
    with opened(tmp_path, OLD) as old:
        old.publish_rules(b"{}")
        consoles = tmp_path / "standby" / "consoles"
        (consoles / f"{NEW}.rules").write_bytes(content)
        (consoles / f"{OLD}.taken").write_bytes(content)
        assert [copy.console for copy in old.consoles.listing()] == [OLD]
        back_up(old, MemoryDisk(random_bytes(MIB)))


def test_a_take_over_by_a_newer_program_counts(tmp_path: Path) -> None:
    with opened(tmp_path, OLD) as old:
        old.publish_rules(b"{}")
        newer = encode_document({"format": 2})
        (tmp_path / "standby" / "consoles" / f"{OLD}.taken").write_bytes(newer)
        with pytest.raises(WrittenByNewer):
            old.begin_point(point_draft())


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path, OLD):
        pass
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "standby" / "consoles").rmdir()
    (tmp_path / "standby" / "consoles").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LinkRefused), opened(tmp_path, OLD):
        pass


def test_a_repository_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path, OLD) as old:
        (tmp_path / "standby" / "consoles").rmdir()
        assert old.consoles.listing() == ()
        back_up(old, MemoryDisk(random_bytes(MIB)))
        collect_garbage(old)
        old.publish_rules(b"{}")
        assert [copy.console for copy in old.consoles.listing()] == [OLD]


@pytest.mark.parametrize("mark", ["", "../x", "0" * 19, "0" * 33, "A" * 20, NEW])
def test_only_the_mark_of_another_console_is_taken_over(tmp_path: Path, mark: str) -> None:
    with opened(tmp_path, NEW) as new, pytest.raises(ValueError, match="not the mark"):
        new.take_over(mark)


def test_a_take_over_by_what_is_no_console_stops_nobody(tmp_path: Path) -> None:
    with opened(tmp_path, OLD) as old:
        at = "2026-01-01T00:00:00+00:00"
        forged = {"format": 1, "repository": old.id, "console": OLD, "by": "../x", "host": "x", "at": at}
        (tmp_path / "standby" / "consoles" / f"{OLD}.taken").write_bytes(encode_document(forged))
        back_up(old, MemoryDisk(random_bytes(MIB)))
