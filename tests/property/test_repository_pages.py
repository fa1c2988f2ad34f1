"""The index of a disk against a plain dictionary."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from app.repository.crypto import Hasher
from app.repository.pages import PAGE_ENTRIES, ZERO_DIGEST, PageTree, PageTreeBuilder, tree_depth


class PageFiles:
    """Keeps pages in memory and counts what is written."""

    def __init__(self) -> None:
        self.pages: dict[bytes, bytes] = {}
        self.written: list[bytes] = []

    def load(self, digest: bytes) -> bytes:
        return self.pages[digest]

    def store(self, page: bytes) -> bytes:
        digest = Hasher().digest(2, page, 65536)
        self.pages[digest] = page
        self.written.append(digest)
        return digest


def digest_of(number: int) -> bytes:
    return ZERO_DIGEST if number == 0 else Hasher().frame_digest(number.to_bytes(8, "little"))


def build(stored_points: PageFiles, count: int, parent: PageTree | None, changes: Mapping[int, bytes]) -> PageTree:
    builder = PageTreeBuilder(count, parent, stored_points.store)
    waiting: list[int] = []
    for index in sorted(changes):
        builder.announce(index)
        waiting.append(index)
        if len(waiting) > 3:  # several chunks are always under way, and the newest may be done first
            builder.put(waiting[-1], changes[waiting.pop()])
    for index in waiting:
        builder.put(index, changes[index])
    return PageTree(builder.finish(), count, stored_points.load)


_counts = st.sampled_from([1, 2, 1023, 1024, 1025, 5000, 1024 * 1024, 1024 * 1024 + 1, 3 * 1024 * 1024])
_steps = st.lists(
    st.tuples(
        _counts,
        st.dictionaries(st.integers(0, 3 * 1024 * 1024 - 1), st.integers(0, 5), max_size=12),
    ),
    min_size=1,
    max_size=5,
)


@given(_steps)
def test_a_tree_answers_like_a_dictionary_through_changes_and_growth(
    steps: list[tuple[int, dict[int, int]]],
) -> None:
    stored_points = PageFiles()
    model: dict[int, bytes] = {}
    tree: PageTree | None = None
    for count, raw in steps:
        changes = {index % count: digest_of(value) for index, value in raw.items()}
        tree = build(stored_points, count, tree, changes)
        model = {index: digest for index, digest in model.items() if index < count} | changes
        stored = {index: digest for index, digest in model.items() if digest != ZERO_DIGEST}
        assert dict(tree.stored()) == stored
        assert all(tree.digest(index) == digest for index, digest in model.items())
        assert tree.digest(count - 1) == model.get(count - 1, ZERO_DIGEST)


@given(_counts, st.dictionaries(st.integers(0, 3 * 1024 * 1024 - 1), st.integers(0, 5), max_size=12))
def test_equal_content_has_one_root_however_it_came_about(count: int, raw: dict[int, int]) -> None:
    stored_points = PageFiles()
    changes = {index % count: digest_of(value) for index, value in raw.items()}
    at_once = build(stored_points, count, None, changes)
    in_steps: PageTree | None = None
    for index, digest in changes.items():
        in_steps = build(stored_points, count, in_steps, {index: digest})
    noise = build(stored_points, count, at_once, {0: digest_of(77), count - 1: digest_of(78)})
    undone = build(stored_points, count, noise, {0: at_once.digest(0), count - 1: at_once.digest(count - 1)})

    assert in_steps is None or in_steps.root == at_once.root
    assert undone.root == at_once.root


@given(st.sets(st.integers(0, 20 * PAGE_ENTRIES - 1), min_size=1, max_size=10))
def test_only_changed_pages_are_written(indexes: set[int]) -> None:
    stored_points = PageFiles()
    count = 20 * PAGE_ENTRIES
    full = build(stored_points, count, None, {index: digest_of(index + 1) for index in range(0, count, 97)})
    stored_points.written.clear()

    build(stored_points, count, full, {index: digest_of(10**9 + index) for index in indexes})

    changed_leaves = {index // PAGE_ENTRIES for index in indexes}
    assert len(stored_points.written) == len(changed_leaves) + tree_depth(count) - 1


@given(st.integers(0, 20 * PAGE_ENTRIES - 1))
def test_telling_the_same_digest_again_writes_nothing(index: int) -> None:
    stored_points = PageFiles()
    count = 20 * PAGE_ENTRIES
    full = build(stored_points, count, None, {at: digest_of(at + 1) for at in range(0, count, 97)})
    stored_points.written.clear()

    same = build(stored_points, count, full, {index: full.digest(index)})

    assert same.root == full.root
    assert stored_points.written == []


@given(_counts, st.sets(st.integers(0, 3 * 1024 * 1024 - 1), max_size=20), st.data())
def test_a_range_of_stored_chunks_is_cut_exactly(count: int, raw: set[int], data: st.DataObject) -> None:
    stored_points = PageFiles()
    indexes = {index % count for index in raw}
    tree = build(stored_points, count, None, {index: digest_of(index + 1) for index in indexes})
    start = data.draw(st.integers(0, count))
    stop = data.draw(st.integers(start, count))

    assert [index for index, _ in tree.stored(start, stop)] == sorted(
        index for index in indexes if start <= index < stop
    )
