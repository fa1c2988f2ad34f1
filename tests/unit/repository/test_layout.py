import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import PointId, VmId
from app.repository.layout import (
    chain_name,
    chain_name_apart,
    folded,
    is_readable_name,
    is_safe_name,
    is_stamp,
    split_point_id,
    stamp_of,
)

MOMENT = datetime(2026, 11, 22, 9, 5, 7, tzinfo=UTC)


def test_a_plain_name_stays_readable() -> None:
    assert chain_name("nightly", VmId("vm-42"), "10.0.0.5") == "nightly_BAK_vm-42_10.0.0.5"
    assert chain_name("每日备份", VmId("vm-42"), "vc.example") == "每日备份_BAK_vm-42_vc.example"


@given(st.text(max_size=80), st.text(max_size=30), st.text(max_size=200))
def test_every_chain_name_is_safe(rule: str, vm: str, address: str) -> None:
    name = chain_name(rule, VmId(vm), address)
    assert is_safe_name(name)
    assert split_point_id(PointId(f"{name}/{stamp_of(MOMENT)}")) == (name, stamp_of(MOMENT))


@given(st.text(max_size=64), st.text(max_size=64))
def test_two_rules_never_share_a_chain(left: str, right: str) -> None:
    names = {chain_name(rule, VmId("vm-1"), "a") for rule in (left, right)}
    assert len(names) == len({left, right})


@pytest.mark.parametrize(
    ("left", "right"), [("a/b", "a:b"), ("a b", "a-b"), ("x" * 99, "x" * 100), ("é", "e\u0301")]
)
def test_names_that_look_alike_when_made_safe_stay_apart(left: str, right: str) -> None:
    assert chain_name(left, VmId("vm-1"), "a") != chain_name(right, VmId("vm-1"), "a")


def test_a_stamp_is_in_utc_and_distinguishes_points_of_one_second() -> None:
    china = MOMENT.astimezone(timezone(timedelta(hours=8)))
    assert stamp_of(china) == "2026-11-22_09-05-07"
    assert stamp_of(MOMENT, 3) == "2026-11-22_09-05-07_03"
    assert is_stamp(stamp_of(MOMENT, 3))


@pytest.mark.parametrize(
    "name", ["con", "LPT1.txt", "a/b", "a\\b", "..", "a\n", "x" * 300, "\ud800", "a ", "*", 'a"b']
)
def test_unsafe_names_are_recognized(name: str) -> None:
    assert not is_safe_name(name)


DEVICES = [
    "CON",
    "prn",
    "Aux",
    "nul",
    "COM1",
    "com9",
    "LPT1",
    "COM¹",
    "lpt²",
    "COM³",
    "CONIN$",
    "conout$",
    "CLOCK$",
]
ENDINGS = ["", ".", " ", ".prod", ".db", ". .x", " .txt", ".a.b", "  ", ":x", ".¹"]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("ending", ENDINGS)
def test_names_of_devices_are_neither_made_nor_taken(device: str, ending: str) -> None:
    rule = f"{device}{ending}"
    assert not is_safe_name(rule)
    for name in (
        chain_name(rule, VmId("vm-1"), "a"),
        chain_name("rule", VmId(rule), rule),
        chain_name_apart(rule, VmId("vm-1"), "a"),
    ):
        assert is_safe_name(name)
        assert name.split(".")[0].rstrip().upper() not in {device.upper() for device in DEVICES}


@given(
    st.one_of(
        st.text(), st.builds("".join, st.tuples(st.sampled_from(DEVICES), st.sampled_from(ENDINGS), st.text()))
    ),
    st.text(),
    st.text(),
)
def test_what_makes_names_and_what_checks_them_agree(rule: str, vm: str, address: str) -> None:
    for name in (chain_name(rule, VmId(vm), address), chain_name_apart(rule, VmId(vm), address)):
        assert is_safe_name(name)
        assert is_readable_name(name)
        assert name == unicodedata.normalize("NFC", name)
        assert split_point_id(PointId(f"{name}/{stamp_of(MOMENT)}"))


@given(st.text(max_size=64), st.text(max_size=64))
def test_a_chain_apart_shares_no_directory_whatever_the_file_system_folds(left: str, right: str) -> None:
    made = {folded(chain_name_apart(rule, VmId("vm-1"), "a")) for rule in (left, right)}
    assert len(made) == len({left, right})
    if left != right:
        assert folded(chain_name(left, VmId("vm-1"), "a")) not in made


@pytest.mark.parametrize(
    ("left", "right"),
    [("Web", "wEB"), ("STRASSE", "straße"), ("É", "e\u0301"), ("ﬁle", "FILE"), ("ＷＥＢ", "web"), ("Σ", "ς")],
)
def test_names_that_file_systems_take_for_one(left: str, right: str) -> None:
    assert folded(left) == folded(right)


@pytest.mark.parametrize("name", ["AUX .nvram", "conin$.x".replace("$", ""), "每日_BAK_vm-1_a"])
def test_names_that_earlier_versions_made_are_read(name: str) -> None:
    assert is_readable_name(name)
