"""Every Python block in the README and the docs runs, in order, as a reader would run it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support import postgres

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# These pages are run by tests of their own.
ELSEWHERE = {"api-reference.md"}
# These need what is not part of the development environment.
NEEDS = {"milvus.md": "milvus_lite"}

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in ELSEWHERE], ids=lambda page: page.name)
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one namespace per page and an empty directory; what a block asserts holds."""
    if page.name in NEEDS:
        pytest.importorskip(NEEDS[page.name])
    monkeypatch.chdir(tmp_path)
    if page.name == "pgvector.md":
        monkeypatch.setenv("DATABASE_URL", postgres.postgres_url())
    namespace: dict[str, object] = {"__name__": "page"}
    for block in BLOCK.finditer(page.read_text()):
        line = page.read_text()[: block.start()].count("\n") + 1
        exec(compile("\n" * line + block[1], str(page), "exec"), namespace)


def test_links_lead_somewhere() -> None:
    """Every relative link in a page names a file of the repository."""
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
