import os

from app.core.messagebox import show_box


class User32:
    """Remembers what it was to show."""

    def __init__(self, answer: int) -> None:
        self.shown: list[tuple[str, str]] = []
        self._answer = answer

    def MessageBoxW(self, owner: object, text: str, caption: str, kind: int) -> int:
        """Return at once."""
        assert owner is None
        assert kind
        self.shown.append((caption, text))
        return self._answer


def test_an_error_is_shown_in_a_box_of_the_system() -> None:
    user32 = User32(answer=1)
    assert show_box("A library is missing.", user32)
    assert user32.shown == [("Standfast", "A library is missing.")]


def test_where_no_box_can_be_shown_that_is_said() -> None:
    assert not show_box("A library is missing.", User32(answer=0))
    assert os.name == "nt" or not show_box("A library is missing.")
