"""The import contract that finds rings of modules; ``pyproject.toml`` names the packages that it holds for."""

from collections.abc import Iterable, Mapping
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

from tests.support.import_contracts import imports_of, is_within, line_of


class AcyclicContract(Contract):
    """Below each of the ``packages``, no modules import each other in a ring, by imports of any kind.

    Imports inside functions and those for type checkers only count too: a ring is opened, not hidden.
    """

    packages: Any = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Find the rings of modules."""
        packages = tuple(self.packages)
        imports: dict[str, list[str]] = {module: [] for module in graph.modules if is_within(module, packages)}
        for importer, imported in imports_of(graph, packages):
            if imported in imports:
                imports[importer].append(imported)
        rings = [ring for ring in _components(imports) if len(ring) > 1]
        within = [
            [
                (importer, imported, line_of(graph, importer, imported))
                for importer in sorted(ring)
                for imported in imports[importer]
                if imported in ring
            ]
            for ring in rings
        ]
        return ContractCheck(kept=not rings, metadata={"rings": within})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the imports inside each ring, one per line."""
        for ring in check.metadata["rings"]:
            output.print_error(f"a ring of {len({importer for importer, _, _ in ring})} modules:")
            for importer, imported, line in ring:
                output.print_error(f"  {importer}:{line} imports {imported}")


def _components(imports: Mapping[str, Iterable[str]]) -> list[frozenset[str]]:
    """Return the strongly connected components of a graph, by Kosaraju's two walks."""
    finished: list[str] = []
    seen: set[str] = set()
    for module in sorted(imports):
        finished += _walk(module, imports, seen)
    importers: dict[str, list[str]] = {module: [] for module in imports}
    for importer, several in imports.items():
        for imported in several:
            importers[imported].append(importer)
    seen = set()
    walks = (_walk(module, importers, seen) for module in reversed(finished))
    return [frozenset(walk) for walk in walks if walk]


def _walk(start: str, edges: Mapping[str, Iterable[str]], seen: set[str]) -> list[str]:
    """Return what is reached from a module and was not seen before, in the order in which it is left."""
    if start in seen:
        return []
    seen.add(start)
    left: list[str] = []
    path = [(start, iter(edges[start]))]
    while path:
        module, ahead = path[-1]
        following = next((other for other in ahead if other not in seen), None)
        if following is None:
            left.append(module)
            path.pop()
        else:
            seen.add(following)
            path.append((following, iter(edges[following])))
    return left
