from pathlib import Path

import pytest

from app.simulator.storage import DatastoreFull, DatastorePath, InvalidDatastorePath, SimDatastore
from tests.support.simulated import local


def test_a_datastore_path_is_read_and_written_the_way_vsphere_spells_it() -> None:
    path = DatastorePath.parse("[ds 1] web 01/web-01.vmdk")
    assert (path.datastore, path.directory, path.name) == ("ds 1", "web 01", "web-01.vmdk")
    assert str(path) == "[ds 1] web 01/web-01.vmdk"
    assert str(path.sibling("web-01-flat.vmdk")) == "[ds 1] web 01/web-01-flat.vmdk"


@pytest.mark.parametrize(
    "text",
    [
        "web.vmdk",
        "[ds1",
        "[] x",
        "[ds1] ../x",
        "[ds1] a/../../x",
        "[ds1] /etc/passwd",
        "[ds1] a\\..\\b",
        "[ds1] a\0b",
    ],
)
def test_a_path_that_is_none_or_leaves_its_datastore_is_refused(text: str) -> None:
    with pytest.raises(InvalidDatastorePath):
        DatastorePath.parse(text)


def test_a_symbolic_link_does_not_lead_out_of_the_datastore(datastore: SimDatastore, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    try:
        (local(datastore.root) / "link").symlink_to(tmp_path, target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let ordinary users make symbolic links")
    with pytest.raises(InvalidDatastorePath):
        datastore.resolve("[ds1] link/secret")


def test_a_path_of_another_datastore_is_refused(datastore: SimDatastore) -> None:
    with pytest.raises(InvalidDatastorePath):
        datastore.resolve("[ds2] x")


def test_files_take_space_and_give_it_back(datastore: SimDatastore) -> None:
    datastore.write_file("vm/vm.vmx", b"x" * 100)
    datastore.write_file("vm/vm.vmx", b"x" * 40)
    assert datastore.used_bytes == 40
    datastore.delete_file("vm/vm.vmx")
    datastore.delete_file("vm/vm.vmx")
    assert datastore.used_bytes == 0
    assert not (local(datastore.root) / "vm/vm.vmx").exists()


def test_a_file_that_does_not_fit_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    small = SimDatastore("small", tmp_path / "small", 100)
    small.write_file("a", b"x" * 60)
    with pytest.raises(DatastoreFull, match=r"\[small\] has no space for 50 more bytes"):
        small.write_file("b", b"x" * 50)
    assert small.free_bytes == 40
    assert not (small.root / "b").exists()


def test_the_fault_script_can_fill_a_datastore_that_has_space(tmp_path: Path) -> None:
    full = False
    datastore = SimDatastore("ds", tmp_path / "ds", 1 << 20, is_full=lambda: full)
    datastore.write_file("a", b"x")
    full = True
    assert datastore.free_bytes == 0
    with pytest.raises(DatastoreFull):
        datastore.write_file("b", b"x")
    datastore.write_file("a", b"y")  # nothing new is needed
    full = False
    datastore.write_file("b", b"x")


def test_files_that_are_there_already_count(tmp_path: Path) -> None:
    (tmp_path / "ds").mkdir()
    (tmp_path / "ds" / "iso").write_bytes(b"x" * 200_000)
    datastore = SimDatastore("ds", tmp_path / "ds", 1 << 20)
    assert datastore.used_bytes >= 200_000
