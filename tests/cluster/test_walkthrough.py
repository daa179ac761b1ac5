"""The pages on clusters name files, tags and options that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pipelines.cli import parse
from tests.cluster.manifests import PROJECT, RAY_MANIFESTS, manifest, pods

PAGES = [PROJECT / "docs" / "clusters.md", PROJECT / "cluster" / "README.md"]

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def commands(page: Path) -> list[list[str]]:
    """Every command line of this project in the page's code blocks, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    lines = re.sub(r"\\\n", " ", "".join(blocks)).splitlines()
    return [
        shlex.split(line, comments=True) for line in lines if re.match(r"\s*streamer |.* -- +streamer ", line)
    ]


@every_page
def test_every_command_is_accepted(page: Path) -> None:
    found = commands(page)
    assert found
    for words in found:
        command, *options = words[words.index("streamer") + 1 :]
        parse(command, options)


@every_page
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    linked = {page.parent / target for target in re.findall(r"\]\(([^)#:]+)\)", text)}
    named = {PROJECT / path for path in re.findall(r"\b(?:cluster|tests)/[\w./-]*\w", text)}
    assert linked | named
    assert [str(path) for path in linked | named if not path.exists()] == []


def test_the_walkthrough_builds_the_image_that_the_manifests_name() -> None:
    built = set(re.findall(r"-t (\S+) \.", PAGES[0].read_text()))
    used = {c["image"] for name in RAY_MANIFESTS for pod in pods(manifest(name)) for c in pod["containers"]}
    assert used <= built
