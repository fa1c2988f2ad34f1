"""The log of everything: what is written is found, page by page, and nothing is loaded whole."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalog import Catalog
from app.core.clock import SystemClock
from app.domain.history import LogEntry, LogSearch, LogSubject, LogWord
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.messages import LogLevel, MessageKind
from tests.unit.catalog.test_catalog import task

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAID = MessageKind("test.said", "Said: {what}")
RULE = LogSubject(name="nightly", action="rule.create", rule=RuleId("r1"))
PROGRAM = LogSubject(name="", action="program.start")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "catalog.db", clock=SystemClock()) as opened:
        yield opened


def say(
    catalog: Catalog,
    what: str,
    at: datetime = NOON,
    *,
    level: LogLevel = LogLevel.NORMAL,
    subject: LogSubject = PROGRAM,
) -> None:
    catalog.log.append(at, level, SAID.fill(what=what), subject)


def words_of(entries: tuple[LogEntry, ...]) -> list[str]:
    return [str(dict(entry.params)["what"]) for entry in entries]


def all_pages(catalog: Catalog, search: LogSearch, *, limit: int, look_at: int = 20_000) -> list[str]:
    found: list[str] = []
    before: int | None = None
    while True:
        page = catalog.log.page(search, before=before, limit=limit, look_at=look_at)
        assert len(page.entries) <= limit
        found += words_of(page.entries)
        if page.older is None:
            return found
        before = page.older


def test_a_line_comes_back_as_it_was_written(catalog: Catalog) -> None:
    say(catalog, '虚机 "a\\b"', level=LogLevel.WARNING, subject=RULE)
    (entry,) = catalog.log.page(LogSearch(), limit=5).entries
    assert (entry.at, entry.level, entry.code) == (NOON, LogLevel.WARNING, "test.said")
    assert (entry.params, entry.subject, entry.task) == ((("what", '虚机 "a\\b"'),), RULE, None)


def test_tasks_and_everything_else_are_in_one_log_newest_first(catalog: Catalog) -> None:
    catalog.tasks.add(task(1))
    say(catalog, "first")
    catalog.tasks.log(TaskId("t1"), NOON + timedelta(seconds=1), LogLevel.NORMAL, SAID.fill(what="second"))
    say(catalog, "third", NOON + timedelta(seconds=2), subject=RULE)
    entries = catalog.log.page(LogSearch(), limit=5).entries
    assert words_of(entries) == ["third", "second", "first"]
    about = entries[1].subject
    assert (about.name, about.action, about.vm, entries[1].task) == ("web", "backup", "vm-1", "t1")


def test_each_condition_takes_its_lines_only(catalog: Catalog) -> None:
    catalog.tasks.add(task(1, rule=RuleId("r1")))
    catalog.tasks.add(task(2, vm=VmId("vm-2"), rule=RuleId("r2")))
    for number in (1, 2):
        at = NOON + timedelta(minutes=number)
        catalog.tasks.log(TaskId(f"t{number}"), at, LogLevel.ERROR, SAID.fill(what=f"task {number}"))
    say(catalog, "rule", NOON + timedelta(minutes=3), level=LogLevel.WARNING, subject=RULE)
    say(catalog, "program", NOON + timedelta(minutes=4))

    def found(**conditions: object) -> list[str]:
        return words_of(catalog.log.page(LogSearch(**conditions), limit=9).entries)  # type: ignore[arg-type]

    assert found(rule=RuleId("r1")) == ["rule", "task 1"]
    assert found(vm=VmId("vm-2")) == ["task 2"]
    assert found(rule=RuleId("r1"), vm=VmId("vm-2")) == []
    assert found(task=TaskId("t1")) == ["task 1"]
    assert found(at_least=LogLevel.WARNING) == ["rule", "task 2", "task 1"]
    assert found(at_least=LogLevel.ERROR, rule=RuleId("r1")) == ["task 1"]
    assert found(start=NOON + timedelta(minutes=2), end=NOON + timedelta(minutes=4)) == ["rule", "task 2"]


def test_words_are_found_in_subjects_actions_fixed_words_and_values(catalog: Catalog) -> None:
    say(catalog, "C:\\data 100%_", subject=RULE)
    say(catalog, "something else", NOON + timedelta(seconds=1))

    def found(*words: LogWord) -> list[str]:
        return words_of(catalog.log.page(LogSearch(words=words), limit=9).entries)

    assert found(LogWord(text="NIGHT")) == ["C:\\data 100%_"]
    assert found(LogWord(text="rule.cr")) == ["C:\\data 100%_"]
    assert found(LogWord(text="c:\\da"), LogWord(text="100%_")) == ["C:\\data 100%_"]
    assert found(LogWord(text="0%_", codes=frozenset())) == ["C:\\data 100%_"]
    assert found(LogWord(text="said", codes=frozenset({"test.said"}))) == ["something else", "C:\\data 100%_"]
    assert found(LogWord(text="启动", actions=frozenset({"program.start"}))) == ["something else"]
    assert found(LogWord(text="what")) == [], "the name of a value is no word of the message"
    assert found(LogWord(text="else"), LogWord(text="night")) == []


def test_a_rare_word_is_searched_for_in_stretches(catalog: Catalog) -> None:
    for number in range(50):
        say(catalog, "needle" if number == 3 else f"hay {number}", NOON + timedelta(seconds=number))
    search = LogSearch(words=(LogWord(text="needle"),))
    first = catalog.log.page(search, limit=5, look_at=20)
    assert first.entries == ()
    assert first.older is not None
    assert first.searched_to == NOON + timedelta(seconds=30)
    assert all_pages(catalog, search, limit=5, look_at=20) == ["needle"]


def test_lines_of_one_moment_and_of_a_clock_set_back_are_neither_lost_nor_doubled(catalog: Catalog) -> None:
    for number in range(30):
        say(catalog, str(number), NOON - timedelta(minutes=number // 7))
    pages = all_pages(catalog, LogSearch(), limit=4)
    assert sorted(pages, key=int) == [str(number) for number in range(30)]
    assert pages[:7] == ["6", "5", "4", "3", "2", "1", "0"]


def test_clearing_takes_the_lines_that_fit_and_no_other(catalog: Catalog) -> None:
    for number in range(40):
        level = LogLevel.ERROR if number % 4 == 0 else LogLevel.NORMAL
        say(catalog, str(number), NOON + timedelta(seconds=number), level=level)
    assert catalog.log.clear(LogSearch(at_least=LogLevel.ERROR, end=NOON + timedelta(seconds=20))) == 5
    left = [number for number in range(40) if number % 4 or number >= 20]
    assert all_pages(catalog, LogSearch(), limit=7) == [str(number) for number in reversed(left)]
    assert catalog.log.clear(LogSearch()) == 35
    assert catalog.log.page(LogSearch(), limit=1).entries == ()


def test_paging_goes_on_after_the_line_it_stands_on_was_cleared(catalog: Catalog) -> None:
    for number in range(20):
        level = LogLevel.ERROR if number >= 10 else LogLevel.NORMAL
        say(catalog, str(number), NOON + timedelta(seconds=number), level=level)
    page = catalog.log.page(LogSearch(), limit=5)
    catalog.log.clear(LogSearch(at_least=LogLevel.ERROR))
    older = catalog.log.page(LogSearch(), before=page.older, limit=50)
    assert words_of(older.entries) == [str(number) for number in reversed(range(10))]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.sampled_from(["read", "write"]), min_size=1, max_size=30),
    before=st.integers(0, 25),
    limit=st.integers(1, 6),
)
def test_pages_together_are_the_whole_while_lines_are_appended(
    catalog: Catalog, steps: list[str], before: int, limit: int
) -> None:
    catalog.log.clear(LogSearch())
    for number in range(before):
        say(catalog, str(number), NOON + timedelta(seconds=number // 3))
    seen: list[str] = []
    cursor: int | None = None
    written = before
    done = False
    for step in steps:
        if step == "write":
            say(catalog, str(written), NOON + timedelta(seconds=written // 3))
            written += 1
        elif not done:
            page = catalog.log.page(LogSearch(), before=cursor, limit=limit)
            seen += words_of(page.entries)
            cursor, done = page.older, page.older is None
    while not done:
        page = catalog.log.page(LogSearch(), before=cursor, limit=limit)
        seen += words_of(page.entries)
        cursor, done = page.older, page.older is None
    newest = int(seen[0]) if seen else -1
    assert seen == [str(number) for number in range(newest, -1, -1)]
    assert newest >= before - 1


@pytest.mark.parametrize(
    ("search", "index"),
    [
        (LogSearch(), "ix_log_by_time"),
        (LogSearch(start=NOON, end=NOON), "ix_log_by_time"),
        (LogSearch(rule=RuleId("r1")), "ix_log_by_rule"),
        (LogSearch(vm=VmId("v1"), rule=RuleId("r1")), "ix_log_by_vm"),
        (LogSearch(task=TaskId("t1")), "ix_log_by_task"),
        (LogSearch(at_least=LogLevel.WARNING), "ix_log_warnings"),
        (LogSearch(at_least=LogLevel.ERROR, words=(LogWord(text="x"),)), "ix_log_warnings"),
        (LogSearch(at_least=LogLevel.WARNING, rule=RuleId("r1")), "ix_log_warnings_by_rule"),
    ],
)
def test_every_search_walks_along_an_index(catalog: Catalog, search: LogSearch, index: str) -> None:
    from app.catalog.history_tables import log
    from app.catalog.log import _indexed_conditions, _other_conditions

    say(catalog, "x", subject=RULE)
    where = [*_indexed_conditions(search), *_other_conditions(search)]
    query = sa.select(log).where(*where).order_by(log.c.at.desc(), log.c.id.desc())
    with catalog.databases[0].read() as connection:
        compiled = query.compile(connection.engine, compile_kwargs={"literal_binds": True})
        plan = [str(row.detail) for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {compiled}"))]
    assert any(f"INDEX {index} " in f"{line} " for line in plan), plan
    assert search.task is not None or not any("TEMP B-TREE" in line for line in plan), plan
