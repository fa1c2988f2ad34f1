"""Names and paths as the wire writes them and as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.vsphere.access import folder_target
from app.vsphere.certificates import normalized_thumbprint
from app.vsphere.names import DatastorePath, escaped, file_name_of, unescaped


@given(st.text())
def test_any_name_survives_the_wire(name: str) -> None:
    assert unescaped(escaped(name)) == name
    assert not set(escaped(name)) & {"/", "\\"}


def test_escapes_are_read_in_either_case() -> None:
    assert unescaped("a%2Fb%2fc%5C%25") == "a/b/c\\%"


def test_only_vspheres_three_escapes_are_read() -> None:
    assert unescaped("100%20x") == "100%20x"


@pytest.mark.parametrize(
    ("text", "datastore", "file"),
    [
        ("[ds 1] web/web.vmdk", "ds 1", "web/web.vmdk"),
        ("[ds]", "ds", ""),
        ("[ds] [odd] name.vmx", "ds", "[odd] name.vmx"),
        ("[] a.vmx", "", "a.vmx"),
    ],
)
def test_datastore_path_is_split(text: str, datastore: str, file: str) -> None:
    assert DatastorePath.parse(text) == DatastorePath(datastore, file)


@pytest.mark.parametrize("text", ["", "web/web.vmdk", "/vmfs/volumes/ds/a.vmx", "ds] a"])
def test_what_is_no_datastore_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a datastore path"):
        DatastorePath.parse(text)


def test_file_next_to_another() -> None:
    vmx = DatastorePath.parse("[ds] web/web.vmx")
    assert str(vmx.sibling("web.nvram")) == "[ds] web/web.nvram"
    assert str(vmx.sibling("[other] x.nvram")) == "[other] x.nvram"
    assert str(DatastorePath.parse("[ds] web.vmx").sibling("web.nvram")) == "[ds] web.nvram"


def test_address_of_a_datastore_file_is_escaped() -> None:
    path = DatastorePath("ds & more", "dir with space/磐备#1-flat.vmdk")
    assert folder_target(path, "Folder/DC?1") == (
        "/folder/dir%20with%20space/%E7%A3%90%E5%A4%87%231-flat.vmdk?dcPath=Folder%2FDC%3F1&dsName=ds%20%26%20more"
    )


def test_thumbprint_is_normalized_or_refused() -> None:
    assert normalized_thumbprint(" ab" * 32) == ":".join(["AB"] * 32)
    for wrong in ("", "AB:" * 20, "zz" * 32):
        with pytest.raises(ValueError, match="thumbprint"):
            normalized_thumbprint(wrong)


@pytest.mark.parametrize(
    ("text", "known", "datastore", "file"),
    [
        ("[ds [1]] web/web.vmx", (), "ds [1]", "web/web.vmx"),
        ("[[a]] web.vmx", (), "[a]", "web.vmx"),
        ("[ds]x] web/web.vmx", (), "ds]x", "web/web.vmx"),
        ("[a] b] web/web.vmx", ("a] b", "other"), "a] b", "web/web.vmx"),
        ("[a] b] web/web.vmx", ("a",), "a", "b] web/web.vmx"),
        ("[a/b] dir] with/x.vmdk", (), "a/b", "dir] with/x.vmdk"),
        ("[ds [1]]", (), "ds [1]", ""),
    ],
)
def test_brackets_in_names_of_datastores(text: str, known: tuple[str, ...], datastore: str, file: str) -> None:
    assert DatastorePath.parse(text, known) == DatastorePath(datastore, file)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("web-01", "web-01"),
        ("磐备 测试", "磐备 测试"),
        ('a/b\\c:d*e?f"g<h>i|j', "a_b_c_d_e_f_g_h_i_j"),
        ("[ds1] 100%", "_ds1_ 100_"),
        (" .web. ", "web"),
        ("..", "vm"),
        ("", "vm"),
        ("a\0b\nc\ud800d", "a_b_c_d"),
    ],
)
def test_files_of_a_vm_are_named_as_files_may_be(name: str, file: str) -> None:
    assert file_name_of(name) == file


@given(st.text(max_size=200))
def test_any_vm_has_a_name_for_its_files(name: str) -> None:
    file = file_name_of(name)
    assert 0 < len(file.encode()) <= 160
    assert str(DatastorePath.parse(f"[ds] {file}/{file}.vmx")) == f"[ds] {file}/{file}.vmx"
    assert file_name_of(file) == file
