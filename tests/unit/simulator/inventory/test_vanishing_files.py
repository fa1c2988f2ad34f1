"""Files that are removed while somebody lists them; a host removes its own at any time."""

from pathlib import Path

import pytest
from pyVmomi import vim

from tests.unit.simulator.inventory.test_files import search
from tests.unit.simulator.vm.lab import VmLab

_browser = vim.host.DatastoreBrowser
WHOLE = {"web-01-flat.vmdk", "web-01.nvram", "web-01.vmdk", "web-01.vmx"}


def vanish_after(monkeypatch: pytest.MonkeyPatch, question: str, name: str) -> None:
    """Let a file go away just after it was asked for by ``is_file`` or ``is_dir``."""
    asked = getattr(Path, question)

    def then_gone(self: Path) -> bool:
        answer: bool = asked(self)
        if self.name == name:
            self.unlink(missing_ok=True)
        return answer

    monkeypatch.setattr(Path, question, then_gone)


@pytest.mark.parametrize("name", ["web-01.nvram", "web-01-flat.vmdk"])
def test_a_listing_leaves_out_what_went_away(lab: VmLab, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    details = _browser.FileInfo.Details(fileSize=True, modification=True, fileType=True, fileOwner=True)
    vanish_after(monkeypatch, "is_dir", name)
    assert {file.path for file in search(lab, "[ds1] web-01", details=details).file} == WHOLE - {name}


def test_the_layout_of_a_vm_leaves_out_what_went_away(lab: VmLab, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "web-01.nvram"
    vanish_after(monkeypatch, "is_file", name)
    files = {file.name for file in lab.vm("web-01").layoutEx.file}
    assert files == {f"[ds1] web-01/{name}" for name in WHOLE - {name}}
