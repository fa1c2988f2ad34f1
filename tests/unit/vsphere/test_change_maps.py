"""Asking for changed areas page by page, against platforms that answer oddly."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyVmomi import vim

from app.domain.extents import Extent, normalize
from app.vsphere.change_tracking import AnswerPage, IncompleteMap, doubt, whole_map

KIB = 1024
CAPACITY = 1000 * KIB
GENERATION = "52 9b 0c aa-01"


def paged(areas: list[Extent], page_bytes: int) -> Callable[[int], AnswerPage]:
    """A platform that reports the areas of at most so many bytes of disk per answer."""

    def ask(start: int) -> AnswerPage:
        length = min(page_bytes, CAPACITY - start)
        end = start + length
        inside = [
            Extent(max(area.start, start), min(area.end, end) - max(area.start, start))
            for area in areas
            if area.start < end and area.end > start
        ]
        return AnswerPage(start, length, tuple(inside))

    return ask


extents = st.builds(Extent, st.integers(0, CAPACITY - 1), st.integers(1, 64 * KIB)).map(
    lambda extent: Extent(extent.start, min(extent.length_bytes, CAPACITY - extent.start))
)


@given(st.lists(extents, max_size=20), st.integers(1 * KIB, 2 * CAPACITY))
def test_pages_add_up_to_the_same_map_whatever_their_size(areas: list[Extent], page_bytes: int) -> None:
    assert whole_map(paged(areas, page_bytes), CAPACITY) == normalize(areas)


def test_empty_disk_needs_no_question() -> None:
    def never(start: int) -> AnswerPage:
        raise AssertionError(start)

    assert whole_map(never, 0) == []


def test_unchanged_disk_is_an_empty_map() -> None:
    assert whole_map(paged([], 100 * KIB), CAPACITY) == []


def test_areas_outside_their_page_but_on_the_disk_are_believed() -> None:
    pages = {0: AnswerPage(0, CAPACITY // 2, (Extent(CAPACITY - KIB, KIB),)), CAPACITY // 2: _rest()}
    assert whole_map(lambda start: pages[start], CAPACITY) == [Extent(CAPACITY - KIB, KIB)]


def test_area_that_hangs_over_the_end_is_cut_there() -> None:
    answer = AnswerPage(0, CAPACITY, (Extent(CAPACITY - KIB, 64 * KIB),))
    assert whole_map(lambda _: answer, CAPACITY) == [Extent(CAPACITY - KIB, KIB)]


def _rest() -> AnswerPage:
    return AnswerPage(CAPACITY // 2, CAPACITY // 2, ())


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (AnswerPage(0, 0, ()), "covers nothing"),
        (AnswerPage(0, -1, ()), "covers nothing"),
        (AnswerPage(KIB, CAPACITY, ()), "answered at byte 1024"),
        (AnswerPage(0, CAPACITY + 1, ()), "the disk at byte"),
        (AnswerPage(0, CAPACITY, (Extent(CAPACITY, KIB),)), "behind the disk's end"),
    ],
)
def test_answers_that_do_not_add_up_are_no_map(answer: AnswerPage, complaint: str) -> None:
    with pytest.raises(IncompleteMap, match=complaint):
        whole_map(lambda _: answer, CAPACITY)


def test_last_page_that_stops_short_of_the_end_is_no_map() -> None:
    def ask(start: int) -> AnswerPage:
        if start:
            return AnswerPage(start, 0, ())
        return AnswerPage(0, CAPACITY - 1, ())

    with pytest.raises(IncompleteMap, match=f"at byte {CAPACITY - 1} of {CAPACITY}"):
        whole_map(ask, CAPACITY)


def test_platform_that_never_ends_is_given_up() -> None:
    with pytest.raises(IncompleteMap, match="no end"):
        whole_map(lambda start: AnswerPage(start, 1, ()), 1 << 60)


def disk(
    *, change_id: str | None = f"{GENERATION}/7", capacity_bytes: int = CAPACITY
) -> vim.vm.device.VirtualDisk:
    """A frozen disk as the snapshot's configuration shows it."""
    backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(fileName="[ds] a/a.vmdk", changeId=change_id)
    return vim.vm.device.VirtualDisk(
        key=2000, backing=backing, capacityInBytes=capacity_bytes, capacityInKB=capacity_bytes // KIB
    )


@pytest.mark.parametrize(
    ("frozen", "since", "reason"),
    [
        (disk(), None, None),
        (disk(), f"{GENERATION}/3", None),
        (None, None, "no such disk"),
        (disk(change_id=None), None, "no change id"),
        (disk(capacity_bytes=CAPACITY + KIB), None, "bytes now"),
        (disk(), "another generation/3", "reset since"),
        (disk(), "not a change id", "not a change id"),
    ],
)
def test_map_is_doubted_where_it_could_be_wrong(
    frozen: vim.vm.device.VirtualDisk | None, since: str | None, reason: str | None
) -> None:
    found = doubt(frozen, CAPACITY, since)
    assert found is None if reason is None else found is not None and reason in f"{found} {found.details}"
