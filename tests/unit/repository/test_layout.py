from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import PointId, VmId
from app.repository.layout import chain_name, is_safe_name, is_stamp, split_point_id, stamp_of

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


def test_a_stamp_is_in_utc_and_tells_points_of_one_second_apart() -> None:
    china = MOMENT.astimezone(timezone(timedelta(hours=8)))
    assert stamp_of(china) == "2026-11-22_09-05-07"
    assert stamp_of(MOMENT, 3) == "2026-11-22_09-05-07_03"
    assert is_stamp(stamp_of(MOMENT, 3))


@pytest.mark.parametrize(
    "name", ["con", "LPT1.txt", "a/b", "a\\b", "..", "a\n", "x" * 300, "\ud800", "a ", "*", 'a"b']
)
def test_unsafe_names_are_told(name: str) -> None:
    assert not is_safe_name(name)
