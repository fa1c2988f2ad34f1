import pytest

from app.domain.units import filled, size_text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.00 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (268_435_456, "268 MB"),
        (40 * 10**9, "40.0 GB"),
        (2 * 10**18, "2000 PB"),
        (-1_500, "-1.50 kB"),
    ],
)
def test_a_size_has_three_figures(size_bytes: int, text: str) -> None:
    assert size_text(size_bytes) == text


def test_a_sentence_shows_bytes_as_a_size_where_it_says_so() -> None:
    params = (("bytes", "67764224"), ("disk", "Hard disk 1"))
    assert filled("{disk}: {bytes:size} changed ({bytes})", params) == "Hard disk 1: 67.8 MB changed (67764224)"


def test_what_is_no_number_is_shown_as_it_is() -> None:
    assert filled("{bytes:size} free", {"bytes": "unknown"}) == "unknown free"


def test_a_parameter_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        filled("{disk}", {})
