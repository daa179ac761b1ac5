"""What the pages are made of, as files: nothing in them reaches out, and no text becomes markup."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

ASSETS = {
    file.name: file.read_text(encoding="utf-8") for file in (files("pipelines.report") / "assets").iterdir()
}
PAGES = [name for name in ASSETS if name.endswith(".html")]
SCRIPTS = [name for name in ASSETS if name.endswith(".js")]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_allows_scripts_and_styles_of_its_own_files_only(name: str) -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', ASSETS[name])
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["img-src"] == "'self' file:"
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son\w+=", ASSETS[name]), "nothing stands inline"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_files_that_are_there(name: str) -> None:
    named = re.findall(r'(?:src|href)="([^"#]+)"', ASSETS[name])
    assert named
    assert {path.removeprefix("assets/") for path in named} <= set(ASSETS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_writes_texts_and_never_markup(name: str) -> None:
    ways = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc|setHTML|DOMParser"
    )
    assert not re.search(ways, ASSETS[name])
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon|\bimport\(", ASSETS[name])


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_no_file_names_a_server(name: str) -> None:
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", ASSETS[name]))
    assert addresses <= {"http://www.w3.org/2000/svg"}
