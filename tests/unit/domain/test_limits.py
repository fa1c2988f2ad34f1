"""How much may run at once on one ESXi host."""

import pytest

from app.domain.limits import BufferBudgetExceeded, TaskLimits


@pytest.mark.parametrize(("tasks", "buffer_mb"), [(8, 4), (1, 32), (32, 1), (5, 6)])
def test_limits_up_to_the_hosts_memory_fit(tasks: int, buffer_mb: int) -> None:
    TaskLimits(tasks=tasks, buffer_mb=buffer_mb).check()


@pytest.mark.parametrize(
    ("tasks", "buffer_mb", "remedy"),
    [
        (8, 5, "Set i2vp_transbuffer to at most 4 or bk_tsk_thd to at most 6."),
        (33, 1, "Set bk_tsk_thd to at most 32."),
        (1, 33, "Set i2vp_transbuffer to at most 32."),
        (40, 40, "Set both so that their product is at most 32."),
    ],
)
def test_limits_beyond_it_are_refused_with_the_sum_and_a_remedy_that_works(
    tasks: int, buffer_mb: int, remedy: str
) -> None:
    with pytest.raises(BufferBudgetExceeded) as caught:
        TaskLimits(tasks=tasks, buffer_mb=buffer_mb).check()
    assert f"{tasks} × {buffer_mb} = {tasks * buffer_mb} > 32" in caught.value.message
    assert caught.value.hint == remedy
