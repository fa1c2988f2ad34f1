"""Sizes as people read them, and sentences that hold some."""

from collections.abc import Iterable, Mapping
from typing import Final

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_THOUSAND: Final = 1000
_SIZE: Final = "size"


def size_text(size_bytes: float) -> str:
    """Return a size with three figures: ``40.0 GB``; decimal units, as disks are sold."""
    value, unit = float(size_bytes), 0
    # 999.5 would be rounded to a fourth figure, so it moves to the next unit already.
    while abs(value) >= _THOUSAND - 0.5 and unit < len(_UNITS) - 1:
        value /= _THOUSAND
        unit += 1
    return f"{three_figures(value) if unit else f'{value:.0f}'} {_UNITS[unit]}"


def three_figures(value: float) -> str:
    """Return a number below 1,000 with three figures."""
    magnitude = abs(value)
    if magnitude < 9.995:
        return f"{value:.2f}"
    if magnitude < 99.95:
        return f"{value:.1f}"
    return f"{value:.0f}"


def filled(template: str, params: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """Fill a sentence with its parameters; ``{name:size}`` shows a number of bytes as a size.

    Raises:
        KeyError: the template names a parameter that is not given.
        ValueError: the template is no template.
        IndexError: it has a placeholder without a name.
    """
    return template.format_map({name: _Text(value) for name, value in dict(params).items()})


def filled_if_possible(template: str, params: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """Fill a sentence with its parameters; return it as it is, with all parameters, where they do not fit."""
    values = dict(params)
    try:
        return filled(template, values)
    except (KeyError, IndexError, ValueError):  # another version of the program has other parameters
        return " ".join([template, *(f"{name}={value}" for name, value in sorted(values.items()))])


class _Text(str):
    """A parameter: text, or a number of bytes where the template says so."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        if spec != _SIZE:
            return super().__format__(spec)
        try:
            return size_text(int(self))
        except ValueError:  # not a number: shown as it is
            return str(self)
