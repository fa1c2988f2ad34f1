"""Who runs next."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import PlatformId, TaskId, VmId
from app.engine.tasks.dispatcher import Candidate, Crowd, Limits, choose

START = datetime(2026, 1, 1, tzinfo=UTC)
WIDE = Limits(max_tasks=8, max_tasks_per_host=8)


def waiting(number: int, *, vm: str | None = "", host: str = "", priority: int = 0) -> Candidate:
    name = vm if vm != "" else f"vm-{number}"
    return Candidate(
        task=TaskId(f"t{number}"),
        vm=None if name is None else (PlatformId("p"), VmId(name)),
        host=host,
        priority=priority,
        queued_at=START + timedelta(seconds=number),
    )


def test_the_global_limit_counts_what_runs_already() -> None:
    chosen = choose([waiting(3), waiting(1), waiting(2)], [waiting(9)], Limits(max_tasks=3, max_tasks_per_host=8))
    assert chosen == ["t1", "t2"]


def test_a_vm_is_never_worked_on_twice_at_once() -> None:
    assert choose([waiting(1, vm="a"), waiting(2, vm="a"), waiting(3, vm="b")], [], WIDE) == ["t1", "t3"]
    assert choose([waiting(1, vm="a"), waiting(2, vm="b")], [waiting(9, vm="a")], WIDE) == ["t2"]


def test_tasks_without_a_vm_do_not_exclude_each_other() -> None:
    assert choose([waiting(1, vm=None), waiting(2, vm=None)], [waiting(9, vm=None)], WIDE) == ["t1", "t2"]


def test_the_same_id_on_another_platform_is_another_vm() -> None:
    other = Candidate(task=TaskId("t2"), vm=(PlatformId("q"), VmId("a")), queued_at=START)
    assert set(choose([waiting(1, vm="a"), other], [], WIDE)) == {"t1", "t2"}


def test_a_full_host_lets_tasks_of_others_pass() -> None:
    limits = Limits(max_tasks=8, max_tasks_per_host=2)
    running = [waiting(8, host="esx1"), waiting(9, host="esx1")]
    assert choose([waiting(1, host="esx1"), waiting(2, host="esx2"), waiting(3)], running, limits) == ["t2", "t3"]


def test_a_higher_priority_goes_first_and_then_the_longest_wait() -> None:
    chosen = choose([waiting(2), waiting(1), waiting(3, priority=5)], [], WIDE)
    assert chosen == ["t3", "t1", "t2"]


def test_what_does_not_count_neither_waits_for_the_limit_nor_takes_of_it() -> None:
    full = Limits(max_tasks=1, max_tasks_per_host=8)
    free = replace(waiting(1), counts=False)
    assert choose([free, waiting(2)], [waiting(9)], full) == ["t1"]
    assert choose([waiting(2)], [free], full) == ["t2"]


def test_those_of_one_line_run_one_after_the_other_in_their_order() -> None:
    first, second, other = (replace(waiting(n), lines=(line,)) for n, line in ((1, "a"), (2, "a"), (3, "b")))
    assert choose([second, other, first], [], WIDE) == ["t1", "t3"]
    assert choose([second, other], [first], WIDE) == ["t3"]
    both = replace(waiting(4), lines=("b", "c"))
    assert choose([both, replace(waiting(5), lines=("c",))], [other], WIDE) == [], "nobody overtakes in a line"


_candidates = st.lists(
    st.tuples(
        st.sampled_from([None, "a", "b", "c", "d"]), st.sampled_from(["", "esx1", "esx2"]), st.integers(0, 2)
    ),
    max_size=12,
).map(lambda rows: [waiting(n, vm=vm, host=host, priority=p) for n, (vm, host, p) in enumerate(rows)])


@given(_candidates, st.integers(1, 6), st.integers(1, 3))
def test_no_limit_is_ever_passed_and_nobody_waits_without_a_reason(
    pending: list[Candidate], max_tasks: int, per_host: int
) -> None:
    limits = Limits(max_tasks=max_tasks, max_tasks_per_host=per_host)
    running: list[Candidate] = []
    chosen = set(choose(pending, running, limits))
    started = [candidate for candidate in pending if candidate.task in chosen]
    assert len(started) <= max_tasks
    vms = [candidate.vm for candidate in started if candidate.vm is not None]
    assert len(vms) == len(set(vms))
    hosts = Counter(candidate.host for candidate in started if candidate.host)
    assert all(count <= per_host for count in hosts.values())
    if len(started) < max_tasks:
        for candidate in pending:
            if candidate.task not in chosen:
                assert candidate.vm in vms or hosts[candidate.host] == per_host


@given(_candidates, st.integers(1, 6), st.integers(1, 3))
def test_every_task_has_its_turn_once_others_end(pending: list[Candidate], max_tasks: int, per_host: int) -> None:
    limits = Limits(max_tasks=max_tasks, max_tasks_per_host=per_host)
    left = {candidate.task: candidate for candidate in pending}
    while left:
        chosen = choose(left.values(), [], limits)
        assert chosen, "nothing runs, and still nothing begins"
        ranks = [(-left[task].priority, left[task].queued_at) for task in chosen]
        assert ranks == sorted(ranks)
        for task in chosen:
            del left[task]


def test_of_a_crowd_only_some_run_and_the_others_let_what_is_behind_them_pass() -> None:
    crowd = Crowd("proofs of r1", 2)
    proofs = [replace(waiting(number), crowd=crowd, counts=False) for number in range(1, 5)]
    assert choose([*proofs, waiting(9)], [], WIDE) == ["t1", "t2", "t9"]
    assert choose(proofs[1:], proofs[:1], WIDE) == ["t2"]
    assert choose(proofs[2:], proofs[:2], WIDE) == []
