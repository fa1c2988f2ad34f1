"""Finds every call in a program that makes a file or folder."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CREATING = frozenset("wax")
_MODE = frozenset("rwaxbt+")
_METHODS = frozenset({"mkdir", "makedirs", "touch", "write_bytes", "write_text"})
"""Of any object: there is no other reason to name a method so."""
_CALLS = {
    "lmdb": frozenset({"open"}),
    "logging": frozenset({"FileHandler"}),
    "logging.handlers": frozenset({"RotatingFileHandler", "TimedRotatingFileHandler", "WatchedFileHandler"}),
    "os": frozenset({"mkfifo", "mknod"}),
    "shelve": frozenset({"open"}),
    "shutil": frozenset({"copy", "copy2", "copyfile", "copytree", "make_archive", "move", "unpack_archive"}),
    "sqlite3": frozenset({"connect"}),
    "sqlalchemy": frozenset({"create_engine"}),
}
_MODULES = frozenset({"bz2", "gzip", "lzma", "tarfile", "tempfile", "zipfile"})
"""Of these every call counts, but for the few that only return something."""
_HARMLESS = frozenset({"tempfile.gettempdir"})
_QT = frozenset({"QFile", "QLockFile", "QSaveFile", "QSettings", "QTemporaryDir", "QTemporaryFile"})


@dataclass(frozen=True, order=True)
class Making:
    """A call that makes a file or folder, or may."""

    file: str
    line: int
    call: str
    """The function's name as it is written there."""


def makings_in(root: Path) -> list[Making]:
    """Return the calls in all modules below a folder that make files or folders, or may."""
    return sorted(
        Making(path.relative_to(root).as_posix(), line, name)
        for path in root.rglob("*.py")
        for line, name in _calls(ast.parse(path.read_text(encoding="utf-8")))
    )


def _calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    names = dict(_imported(tree))
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and node.value is not None
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = _full_name(node.func, names)
            if _makes(node, name, constants):
                yield node.lineno, ast.unparse(node.func) if name is None else name
        elif isinstance(node, ast.ClassDef):
            for base in node.bases:
                name = _full_name(base, names)
                if name is not None and _makes(ast.Call(base, [], []), name, constants):
                    yield node.lineno, name


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield what a name stands for, wherever it is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                yield alias.asname or first, alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _full_name(function: ast.expr, names: dict[str, str]) -> str | None:
    """Return ``module.function`` of a function that is imported or builtin; None for a method."""
    parts: list[str] = []
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    if not isinstance(function, ast.Name):
        return None
    if function.id in names:
        return ".".join([names[function.id], *reversed(parts)])
    return function.id if not parts else None


def _makes(call: ast.Call, name: str | None, constants: dict[str, ast.expr]) -> bool:
    method = call.func.attr if isinstance(call.func, ast.Attribute) else None
    if name is None or (method is not None and name.startswith("app.")):
        if method == "open":
            return name is None and _mode_creates(call, 0)
        # A path's ``touch`` is given no names, as a managed object's is.
        return method in _METHODS and not (method == "touch" and call.args)
    module, _, function = name.rpartition(".")
    if name in ("open", "io.open", "codecs.open"):
        return _mode_creates(call, 1)
    if name == "os.open":
        return _flags_create(call, constants)
    return (
        function in _CALLS.get(module, ())
        or (module == "os" and function in _METHODS)
        or (module.split(".")[0] in _MODULES and name not in _HARMLESS)
        or (module.startswith("PySide6") and function in _QT)
        or (module.startswith("pathlib") and function in _METHODS)
    )


def _mode_creates(call: ast.Call, place: int) -> bool:
    """Return whether the mode of an ``open`` makes a file; one that is not written there may."""
    named = [word.value for word in call.keywords if word.arg == "mode"]
    given = named or call.args[place : place + 1]
    if not given:
        return False
    if isinstance(given[0], ast.Constant) and isinstance(given[0].value, str):
        mode = set(given[0].value)
        return mode <= _MODE and bool(_CREATING & mode)
    return bool(named) or place == 1  # many objects have an ``open`` with something else in the first place


def _flags_create(call: ast.Call, constants: dict[str, ast.expr]) -> bool:
    """Return whether the flags of ``os.open`` make a file; flags that come from elsewhere may."""
    waiting: list[ast.expr] = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "flags")]
    while waiting:
        for node in ast.walk(waiting.pop()):
            if isinstance(node, ast.Attribute) and node.attr == "O_CREAT":
                return True
            if isinstance(node, ast.Constant) and node.value == "O_CREAT":
                return True
            if isinstance(node, ast.Name) and node.id not in ("os", "getattr"):
                if node.id not in constants:
                    return True
                waiting.append(constants[node.id])
    return False
