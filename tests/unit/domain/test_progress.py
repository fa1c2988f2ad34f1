"""How far tasks are, and how long the rest takes."""

from app.domain.progress import ProgressSample, fraction_of


def sample(done: int, total: int) -> ProgressSample:
    return ProgressSample(
        total_bytes=total,
        done_bytes=done,
        read_bytes=done,
        written_bytes=0,
        source_busy_s=0.0,
        processing_busy_s=0.0,
        target_busy_s=0.0,
    )


def test_the_time_left_follows_from_speed_and_rest() -> None:
    assert sample(250, 1000).seconds_left(250.0) == 3
    assert sample(250, 1000).seconds_left(0.0) is None
    assert sample(250, 1000).seconds_left(None) is None
    assert sample(1000, 1000).seconds_left(5.0) is None
    assert sample(5, 0).seconds_left(5.0) is None


def test_several_tasks_together_are_as_far_as_their_bytes() -> None:
    assert fraction_of([sample(10, 100), sample(90, 100)]) == 0.5
    assert fraction_of([sample(0, 0)]) == 0.0
    assert fraction_of([sample(30, 20)]) == 1.0
    assert fraction_of([]) is None
