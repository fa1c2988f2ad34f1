"""A platform's VMs as a tree that can be checked: datacenter, folders or host, VM."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Optional

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from app.domain.display import visible
from app.domain.ids import VmId
from app.domain.vms import VmSummary

VM_ROLE: Final = Qt.ItemDataRole.UserRole + 1
"""The VM of a leaf, None for a group."""
DEPTH_ROLE: Final = Qt.ItemDataRole.UserRole + 2
"""0 for a datacenter, more for what is below."""
TAKEN_ROLE: Final = Qt.ItemDataRole.UserRole + 3
"""Why a VM cannot be chosen: the name of its rule; empty when it can be."""

Index = QModelIndex | QPersistentModelIndex
_ROOT: Final = QModelIndex()


@dataclass(slots=True, eq=False)
class _Node:
    text: str
    place: int
    depth: int
    parent: Optional["_Node"] = None
    vm: VmSummary | None = None
    children: list["_Node"] = field(default_factory=list)
    groups: dict[str, "_Node"] = field(default_factory=dict)
    """By the platform's ids, and folders by their names."""

    def leaves(self) -> Iterable["_Node"]:
        """Yield the VMs below."""
        for child in self.children:
            if child.vm is not None:
                yield child
            else:
                yield from child.leaves()


def _paths_of_namesakes(vms: Sequence[VmSummary]) -> Mapping[str, str]:
    """Return the paths of datacenters whose name another has too, by their ids."""
    names = {vm.datacenter_id: vm.datacenter for vm in vms}
    counts = Counter(names.values())
    return {vm.datacenter_id: vm.datacenter_path for vm in vms if counts[vm.datacenter] > 1}


class VmTreeModel(QAbstractItemModel):
    """VMs that can be checked, singly or by group. Thread: GUI.

    Signals:
        chosen_changed: the set of checked VMs is another.
    """

    chosen_changed = Signal()

    def __init__(
        self, parent: QObject | None = None, *, notes_of: Callable[[VmSummary], str] = lambda _vm: ""
    ) -> None:
        """Show nothing yet; ``notes_of`` describes a VM to screen readers."""
        super().__init__(parent)
        self._notes_of = notes_of
        self._vms: tuple[VmSummary, ...] = ()
        self._taken: Mapping[VmId, str] = {}
        self._chosen: dict[VmId, VmSummary] = {}
        self._words: tuple[str, ...] = ()
        self._by_host = False
        self._paths: Mapping[str, str] = {}
        self._top = _Node("", 0, -1)

    # --- what is shown ----------------------------------------------------------------------------------------

    def set_vms(self, vms: Iterable[VmSummary], taken: Mapping[VmId, str]) -> None:
        """Show a platform's VMs; ``taken`` says why some cannot be chosen."""
        self._vms = tuple(sorted(vms, key=lambda vm: vm.name.casefold()))
        self._taken = taken
        self._rebuild()

    def set_filter(self, text: str) -> None:
        """Show only VMs in whose name, guest, host or folder every word appears."""
        self._words = tuple(text.casefold().split())
        self._rebuild()

    def group_by_host(self, *, by_host: bool) -> None:
        """Group below the datacenter by host, or by folder."""
        self._by_host = by_host
        self._rebuild()

    @property
    def shown_count(self) -> int:
        """Return how many VMs pass the filter."""
        return sum(1 for _ in self._top.leaves())

    def _rebuild(self) -> None:
        self.beginResetModel()
        self._top = _Node("", 0, -1)
        self._paths = _paths_of_namesakes(self._vms)
        for vm in self._vms:
            if self._passes(vm):
                node = self._group(vm)
                node.children.append(_Node(vm.name, len(node.children), node.depth + 1, node, vm))
        self.endResetModel()

    def _passes(self, vm: VmSummary) -> bool:
        if not self._words:
            return True
        text = " ".join((vm.name, vm.guest, vm.host, *vm.folder)).casefold()
        return all(word in text for word in self._words)

    def _group(self, vm: VmSummary) -> _Node:
        node = self._top
        datacenter = (vm.datacenter_id or vm.datacenter, self._paths.get(vm.datacenter_id, vm.datacenter))
        host = (vm.host_id or vm.host, vm.host)
        for key, name in (datacenter, *((host,) if self._by_host else ((name, name) for name in vm.folder))):
            below = node.groups.get(key)
            if below is None:
                below = _Node(name, len(node.children), node.depth + 1, node)
                node.groups[key] = below
                node.children.append(below)
            node = below
        return node

    # --- choosing ---------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> tuple[VmSummary, ...]:
        """Return the checked VMs, in the order in which they were checked."""
        return tuple(self._chosen.values())

    def keep(self, vms: Iterable[VmSummary]) -> None:
        """Check the VMs that were chosen before, also those of which no backup is made any more."""
        for vm in vms:
            if vm.unsupported_reason is not None and not self.refusal(vm):
                self._chosen.setdefault(vm.id, vm)
        self.choose(vms, chosen=True)
        self.chosen_changed.emit()

    def choose(self, vms: Iterable[VmSummary], *, chosen: bool) -> None:
        """Check or uncheck VMs; those that cannot be chosen stay as they are."""
        before = len(self._chosen)
        for vm in vms:
            if not chosen:
                self._chosen.pop(vm.id, None)
            elif self._can_be_chosen(vm):
                self._chosen.setdefault(vm.id, vm)
        if len(self._chosen) != before:
            # Views draw from here again on chosen_changed; a signal per group of a large platform would be slow.
            self.dataChanged.emit(self.index(0, 0), self.index(self.rowCount() - 1, 0))
            self.chosen_changed.emit()

    def refusal(self, vm: VmSummary) -> str:
        """Return the name of the rule that has the VM; empty when it can be chosen."""
        return self._taken.get(vm.id, "")

    def _can_be_chosen(self, vm: VmSummary) -> bool:
        return not self.refusal(vm) and vm.unsupported_reason is None

    def _state(self, node: _Node) -> Qt.CheckState:
        if node.vm is not None:
            return Qt.CheckState.Checked if node.vm.id in self._chosen else Qt.CheckState.Unchecked
        free = [leaf.vm.id for leaf in node.leaves() if leaf.vm is not None and self._can_be_chosen(leaf.vm)]
        checked = sum(vm in self._chosen for vm in free)
        if not checked:
            return Qt.CheckState.Unchecked
        return Qt.CheckState.Checked if checked == len(free) else Qt.CheckState.PartiallyChecked

    # --- QAbstractItemModel -----------------------------------------------------------------------------------

    def _node(self, index: Index) -> _Node:
        node = index.internalPointer() if index.isValid() else self._top
        assert isinstance(node, _Node)
        return node

    def index(self, row: int, column: int, parent: Index = _ROOT) -> QModelIndex:
        """Return the index of a child."""
        children = self._node(parent).children
        if column != 0 or not 0 <= row < len(children):
            return QModelIndex()
        return self.createIndex(row, 0, children[row])

    def parent(self, index: Index = _ROOT) -> QModelIndex:  # type: ignore[override]
        """Return the index of the group an index is in."""
        above = self._node(index).parent if index.isValid() else None
        if above is None or above is self._top:
            return QModelIndex()
        return self.createIndex(above.place, 0, above)

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Return the number of children."""
        return len(self._node(parent).children)

    def columnCount(self, parent: Index = _ROOT) -> int:  # noqa: ARG002 - Qt's name
        """Return one: the name."""
        return 1

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return that everything can be checked but VMs that a rule has already or that no backup is made of."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        node = self._node(index)
        if node.vm is not None and not self._can_be_chosen(node.vm):
            return Qt.ItemFlag.ItemIsSelectable
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401 - Qt's type
        """Return what one line shows in one role."""
        if not index.isValid():
            return None
        node = self._node(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return visible(node.text)
        if role == VM_ROLE:
            return node.vm
        if role == DEPTH_ROLE:
            return node.depth
        if role == TAKEN_ROLE:
            return self.refusal(node.vm) if node.vm is not None else ""
        if role == Qt.ItemDataRole.CheckStateRole and (node.vm is None or self._can_be_chosen(node.vm)):
            return self._state(node).value
        if role == Qt.ItemDataRole.AccessibleDescriptionRole and node.vm is not None:
            return self._notes_of(node.vm) or None
        return None

    def setData(
        self,
        index: Index,
        value: Any,  # noqa: ANN401 - Qt's type
        role: int = Qt.ItemDataRole.EditRole,
    ) -> bool:
        """Check or uncheck a VM, or all VMs below a group that pass the filter."""
        if role != Qt.ItemDataRole.CheckStateRole:
            return False
        node = self._node(index)
        below = [node.vm] if node.vm is not None else [leaf.vm for leaf in node.leaves()]
        wanted = Qt.CheckState(value) is not Qt.CheckState.Unchecked
        self.choose([vm for vm in below if vm is not None], chosen=wanted)
        return True
