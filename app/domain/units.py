"""Sizes as people read them, and sentences that hold some."""

from collections.abc import Iterable, Mapping
from string import Formatter
from typing import Final

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_THOUSAND: Final = 1000
_SIZE: Final = "size"
_FORMATTER: Final = Formatter()
_STOPS: Final = (".", "。")
_MARKS: Final = tuple('.。,，;；:：)）”"')
"""Marks that a sentence goes on or ends with: a sentence inside of it drops its own full stop before them."""


class Clause(str):
    """The text of a sentence that stands inside another one."""

    __slots__ = ()


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


def filled(template: str, params: Mapping[str, object] | Iterable[tuple[str, object]]) -> str:
    """Fill a sentence with its parameters.

    ``{name:size}`` shows a number of bytes as a size; ``{name:task is/tasks are}`` shows one of the two texts, the
    first where the parameter is 1. A :class:`Clause` loses its full stop where the sentence goes on with a mark.

    Raises:
        KeyError: the template names a parameter that is not given.
        ValueError: the template is no template.
        IndexError: it has a placeholder without a name.
    """
    values = {name: value if isinstance(value, str) else str(value) for name, value in dict(params).items()}
    texts = {name: _Text(value) for name, value in values.items()}
    said = ""
    is_after_clause = False
    for literal, name, spec, conversion in _FORMATTER.parse(template):
        if is_after_clause and literal.startswith(_MARKS) and said.endswith(_STOPS):
            said = said[:-1]
        said += literal
        is_after_clause = False
        if name is not None:
            conversion = f"!{conversion}" if conversion else ""
            said += f"{{{name}{conversion}:{spec}}}".format_map(texts)
            is_after_clause = isinstance(values.get(name), Clause)
    return said


def filled_if_possible(template: str, params: Mapping[str, object] | Iterable[tuple[str, object]]) -> str:
    """Fill a sentence with its parameters; return it as it is, with all parameters, where they do not fit."""
    values = dict(params)
    try:
        return filled(template, values)
    except (KeyError, IndexError, ValueError):  # another version of the program has other parameters
        return " ".join([template, *(f"{name}={value}" for name, value in sorted(values.items()))])


class _Text(str):
    """A parameter: text, a number of bytes, or a choice between one and several, as the template says."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        if "/" in spec:
            singular, _, plural = spec.partition("/")
            return singular if self == "1" else plural
        if spec != _SIZE:
            return super().__format__(spec)
        try:
            return size_text(int(self))
        except ValueError:  # not a number: shown as it is
            return str(self)
