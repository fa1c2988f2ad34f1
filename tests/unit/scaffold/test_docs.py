"""Pages that people read: every link leads somewhere, and every decision says when it was made and if it holds."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])
DECISIONS = sorted((PROJECT / "docs" / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    inside = [link for link in links if "://" not in link]
    assert [link for link in inside if not (page.parent / link).exists()] == []


def test_the_front_page_of_the_documentation_leads_to_every_page() -> None:
    front = (PROJECT / "docs" / "README.md").read_text(encoding="utf-8")
    names = {page.name for page in (PROJECT / "docs").glob("*.md")} - {"README.md"}
    assert {name for name in names if f"]({name})" not in front} == set()


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_a_decision_has_the_title_date_and_status_that_the_index_shows(page: Path) -> None:
    title, _, dated = page.read_text(encoding="utf-8").splitlines()[:3]
    number = page.name[:4]
    found = re.fullmatch(r"Date: (\d{4}-\d\d-\d\d)\. Status: (.+)\.", dated)
    assert found is not None
    index = (page.parent / "README.md").read_text(encoding="utf-8")
    name = title.removeprefix(f"# {number}: ")
    assert f"| [{number}]({page.name}) | {name} | {found[1]} | {found[2]} |" in index
