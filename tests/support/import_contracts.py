"""Kinds of import contracts that import-linter does not have, used by ``pyproject.toml``.

They check direct imports between modules, and unlike the built-in kinds they can speak of packages that do not
exist yet and of libraries that no one imports yet: a rule holds from the first commit that could break it.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

ROOT = "app"

Offence = tuple[str, str, int]
"""Importer, imported, line number (0 when unknown)."""


def is_within(module: str, packages: Iterable[str]) -> bool:
    """Return whether a module is one of the packages or inside of one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def imports_of(graph: ImportGraph, importers: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield every direct import (importer, imported) made below the packages ``importers``."""
    for module in sorted(graph.modules):
        if is_within(module, importers):
            for imported in sorted(graph.find_modules_directly_imported_by(module)):
                yield module, imported


def line_of(graph: ImportGraph, importer: str, imported: str) -> int:
    """Return the first line on which a module imports another."""
    details = graph.get_import_details(importer=importer, imported=imported)
    return min((detail["line_number"] for detail in details), default=0)


class DirectImportContract(Contract):
    """Base of the contracts here: collects the direct imports that break it."""

    def offending(self) -> Callable[[str, str], bool]:
        """Return the function that returns whether (importer, imported) breaks the contract."""
        raise NotImplementedError

    def importers(self) -> Iterable[str]:
        """Return the packages whose imports are judged."""
        return (ROOT,)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Check every direct import."""
        breaks = self.offending()
        offences: list[Offence] = [
            (importer, imported, line_of(graph, importer, imported))
            for importer, imported in imports_of(graph, self.importers())
            if breaks(importer, imported)
        ]
        return ContractCheck(kept=not offences, metadata={"offences": offences})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line per offending import."""
        for importer, imported, line in check.metadata["offences"]:
            output.print_error(f"{importer}:{line} must not import {imported}")


def _strings() -> Any:
    """Return a field: at class level it is one, on the instance it is a list of strings."""
    return fields.ListField(subfield=fields.StringField())


class OnlyInContract(DirectImportContract):
    """``packages`` (ours or foreign) are imported directly by ``allowed`` only."""

    packages = _strings()
    allowed = _strings()

    def offending(self) -> Callable[[str, str], bool]:
        """Break on an import of the packages by anyone else than the allowed and themselves."""
        insiders = (*self.allowed, *self.packages)
        return lambda importer, imported: is_within(imported, self.packages) and not is_within(importer, insiders)


class ReachContract(DirectImportContract):
    """Of our own packages, the ``sources`` import directly only ``may_reach`` and themselves."""

    sources = _strings()
    may_reach = _strings()

    def importers(self) -> Iterable[str]:
        """Check what the sources import."""
        return tuple(self.sources)

    def offending(self) -> Callable[[str, str], bool]:
        """Break on an import of a package of ours that is out of reach."""
        allowed = (*self.may_reach, *self.sources)
        # The root package itself holds the version only.
        return lambda _, imported: imported.startswith(f"{ROOT}.") and not is_within(imported, allowed)


class StandardLibraryOnlyContract(DirectImportContract):
    """The ``sources`` import nothing foreign but the standard library."""

    sources = _strings()

    def importers(self) -> Iterable[str]:
        """Check what the sources import."""
        return tuple(self.sources)

    def offending(self) -> Callable[[str, str], bool]:
        """Break on an import of an installed library."""
        known = sys.stdlib_module_names | {ROOT}
        return lambda _, imported: imported.split(".")[0] not in known


class UnreachableContract(Contract):
    """The ``sources`` reach the ``forbidden`` packages by no chain of imports."""

    sources = _strings()
    forbidden = _strings()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Look for a chain from every source to every forbidden package."""
        chains = [
            chain
            for source in self.sources
            for package in self.forbidden
            if source in graph.modules and package in graph.modules
            if (chain := graph.find_shortest_chain(source, package, as_packages=True)) is not None
        ]
        return ContractCheck(kept=not chains, metadata={"chains": chains})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line per chain."""
        for chain in check.metadata["chains"]:
            output.print_error(" -> ".join(chain))


class DoorsContract(DirectImportContract):
    """From outside, ``package`` is entered through the modules ``doors`` only (exact names)."""

    package = fields.StringField()
    doors = _strings()

    def offending(self) -> Callable[[str, str], bool]:
        """Break on an import of an inner module by an outsider."""
        package, doors = str(self.package), frozenset(self.doors)
        return lambda importer, imported: (
            is_within(imported, (package,)) and imported not in doors and not is_within(importer, (package,))
        )
