"""The locks hold everything the program needs, on both platforms, and nothing about where it came from."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

FOLDER = Path(__file__).parents[3] / "requirements"
LOCKS = ["runtime.txt", "dev.txt", "uv.txt"]
PLATFORMS = {
    "linux": {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": "x86_64",
    },
    "win32": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
}
ENVIRONMENTS = [
    {**platform, "python_version": version, "python_full_version": f"{version}.0", "extra": ""}
    for platform in PLATFORMS.values()
    for version in ("3.11", "3.12", "3.13")
]


def all_pins(name: str) -> list[Requirement]:
    lines = (FOLDER / name).read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    return [Requirement(line.split(" --hash")[0]) for line in lines if line and not line.lstrip().startswith("#")]


def pins(name: str) -> dict[str, Requirement]:
    """Return the pins by name; of a package with several, the one for the oldest Python."""
    return {canonicalize_name(pin.name): pin for pin in reversed(all_pins(name))}


def pinned_for(environment: dict[str, str]) -> dict[str, Version]:
    found = [
        (canonicalize_name(pin.name), Version(next(iter(pin.specifier)).version))
        for lock in LOCKS
        for pin in all_pins(lock)
        if pin.marker is None or pin.marker.evaluate(environment)
    ]
    assert len(set(found)) == len(dict(found)), "a package has two pins for one environment"
    return dict(found)


def asked_for(name: str) -> list[Requirement]:
    """Return what ``pyproject.toml`` asks for: for the program, or for one of its dependency groups."""
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))
    lines = project["project"]["dependencies"] if name == "runtime" else project["dependency-groups"][name]
    return [Requirement(line) for line in lines]


def needed_by(name: str, environment: dict[str, str]) -> Iterator[Requirement]:
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:  # of the other platform
        return
    for text in distribution.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield requirement


@pytest.mark.parametrize(
    "environment",
    ENVIRONMENTS,
    ids=[f"{environment['sys_platform']}-{environment['python_version']}" for environment in ENVIRONMENTS],
)
def test_the_locks_are_complete_and_consistent(environment: dict[str, str]) -> None:
    pinned = pinned_for(environment)
    lacking = [
        f"{name} needs {requirement}, pinned is {pinned.get(canonicalize_name(requirement.name))}"
        for name in pinned
        for requirement in needed_by(name, environment)
        if (version := pinned.get(canonicalize_name(requirement.name))) is None
        or not requirement.specifier.contains(version, prereleases=True)
    ]
    assert lacking == []


def test_the_runtime_lock_needs_nothing_from_the_development_lock() -> None:
    runtime = set(pins("runtime.txt"))
    for environment in ENVIRONMENTS:
        needs = {canonicalize_name(need.name) for name in runtime for need in needed_by(name, environment)}
        assert needs <= runtime


def test_what_one_platform_or_python_needs_is_pinned_for_it_alone() -> None:
    pinned = {(env["sys_platform"], env["python_version"]): pinned_for(env) for env in ENVIRONMENTS}
    for (platform, python), versions in pinned.items():
        assert ("jeepney" in versions) == ("secretstorage" in versions) == (platform == "linux")
        assert ("tzdata" in versions) == ("pywin32-ctypes" in versions) == (platform == "win32")
        assert (versions["numpy"] >= Version("2.1")) == (python == "3.13")


def test_both_locks_agree_where_they_overlap() -> None:
    runtime, dev = pins("runtime.txt"), pins("dev.txt")
    assert {name: str(dev[name]) for name in dev if name in runtime} == {
        name: str(runtime[name]) for name in dev if name in runtime
    }


@pytest.mark.parametrize("name", ["runtime", "dev", "uv"])
def test_everything_that_is_asked_for_is_pinned(name: str) -> None:
    asked = asked_for(name)
    assert asked
    pinned = pins(f"{name}.txt")
    assert [str(requirement) for requirement in asked if canonicalize_name(requirement.name) not in pinned] == []


@pytest.mark.parametrize("name", [*LOCKS, "windows.txt"])
def test_every_pin_is_exact_and_has_hashes(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8").replace("\\\n", "")
    rows = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(rows) > (0 if name in ("uv.txt", "windows.txt") else 20)
    assert [row.split()[0] for row in rows if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", row)] == []
    assert [row for row in rows if not re.match(r"[a-z0-9.-]+==[^ ]+ ", row)] == []


@pytest.mark.parametrize("file", sorted(FOLDER.iterdir()), ids=lambda file: file.name)
def test_no_address_of_a_package_source_is_committed(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--trusted-host|--find-links|(^|\s)-[if]\s", text)


def test_what_runs_here_is_what_is_pinned() -> None:
    here = {**{name: str(value) for name, value in default_environment().items()}, "extra": ""}
    installed = {
        canonicalize_name(distribution.metadata["Name"]): Version(distribution.version)
        for distribution in importlib.metadata.distributions()
    }
    ours = {
        name: version for name, version in pinned_for(here).items() if name not in ("pip", "setuptools", "wheel")
    }
    if not set(ours) <= set(installed):
        pytest.skip("not the environment that ./dev makes")
    assert {name: installed[canonicalize_name(name)] for name in ours} == ours


def _foreign_imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def test_every_library_that_the_program_imports_is_asked_for_by_name() -> None:
    project = FOLDER.parent
    files = [project / "main.py", *(project / "app").rglob("*.py")]
    imported = {name for file in files for name in _foreign_imports(file)}
    asked = {canonicalize_name(requirement.name) for requirement in asked_for("runtime")}
    providers = importlib.metadata.packages_distributions()
    undeclared = {
        name
        for name in imported - sys.stdlib_module_names - {"app", "main"}
        if not asked & {canonicalize_name(provider) for provider in providers.get(name, ())}
    }
    assert undeclared == set()


def test_qt_is_the_newest_that_old_systems_and_wine_can_run() -> None:
    pinned = pinned_for(ENVIRONMENTS[0])
    assert {str(pinned[name]) for name in ("pyside6-essentials", "shiboken6")} == {"6.9.3"}
    assert pinned["numpy"] < Version("2.1")
