import importlib
import pickle
import pkgutil
import string

import pytest

import app
from app.domain.errors import LoginRefused, OperationalError, PlatformUnreachable


def all_errors() -> list[type[OperationalError]]:
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if module.name.endswith(".errors"):
            importlib.import_module(module.name)
    found: list[type[OperationalError]] = []
    waiting = [OperationalError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting.extend(kind.__subclasses__())
    return [kind for kind in found if kind.__module__.startswith("app.")]


def names_in(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in all_errors()]
    assert sorted(codes) == sorted(set(codes))


def carries_its_own_texts(kind: type[OperationalError]) -> bool:
    """EngineError brings the message and the hint of an error that happened elsewhere."""
    return kind.code == "engine.remote"


@pytest.mark.parametrize(
    "kind", [kind for kind in all_errors() if not carries_its_own_texts(kind)], ids=lambda kind: kind.code
)
def test_every_error_names_the_cause_and_the_remedy(kind: type[OperationalError]) -> None:
    params = {name: f"<{name}>" for name in names_in(kind.message_template) | names_in(kind.hint_template)}
    error = kind(**params)
    assert error.message.endswith((".", ">", ":", ")")), error.message
    assert error.hint.endswith((".", ">")), error.hint
    assert str(error) == f"{error.message} {error.hint}"


def test_an_error_without_its_parameters_is_found_at_construction() -> None:
    with pytest.raises(KeyError):
        LoginRefused(address="vc-1")


def test_an_error_survives_the_way_to_another_process() -> None:
    error = PlatformUnreachable(address="vc-1", port=443, detail="no route")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.params, str(again)) == (PlatformUnreachable, error.params, str(error))
