import pytest

from app.domain.change_id import ChangeId


def test_a_change_id_reads_back_as_it_was_written() -> None:
    text = "52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/17"
    assert str(ChangeId.parse(text)) == text


def test_only_ids_of_one_generation_can_be_compared() -> None:
    first, later, reset = (ChangeId.parse(text) for text in ("52 aa/1", "52 aa/9", "52 bb/2"))
    assert first.comparable_with(later)
    assert not first.comparable_with(reset)


@pytest.mark.parametrize("text", ["", "52 aa", "/3", "52 aa/", "52 aa/x", "52 aa/-1", "*"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a change id"):
        ChangeId.parse(text)
