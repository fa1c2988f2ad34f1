from hypothesis import given
from hypothesis import strategies as st

from app.views.frame.history import Address, History

HOME, RULES, RULE = Address("overview"), Address("backup"), Address("backup", ("r1",))


def test_back_and_forward_walk_what_was_visited() -> None:
    history = History(HOME)
    history.visit(RULES)
    history.visit(RULE)
    assert (history.back(), history.back(), history.back()) == (RULES, HOME, HOME)
    assert not history.can_go_back
    assert history.forward() == RULES
    assert history.can_go_forward


def test_visiting_from_the_middle_drops_what_lay_ahead() -> None:
    history = History(HOME)
    history.visit(RULES)
    history.back()
    history.visit(RULE)
    assert not history.can_go_forward
    assert history.back() == HOME


def test_visiting_the_same_place_again_changes_nothing() -> None:
    history = History(HOME)
    assert not history.visit(HOME)
    assert not history.can_go_back


@given(st.lists(st.sampled_from(["visit", "back", "forward"]), max_size=120))
def test_the_place_is_always_one_that_was_visited(steps: list[str]) -> None:
    history, visited = History(HOME), {HOME}
    for number, step in enumerate(steps):
        if step == "visit":
            address = Address("backup", (str(number),))
            assert history.visit(address)
            visited.add(address)
            assert history.current == address
        else:
            assert (history.back() if step == "back" else history.forward()) == history.current
        assert history.current in visited
