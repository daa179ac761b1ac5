"""The image, its versions, and what the manifests say of them."""

from __future__ import annotations

import re

import pytest

from tests.cluster.manifests import PROJECT, RAY_MANIFESTS, cluster_spec, manifest, pods

DOCKERFILE = (PROJECT / "cluster" / "Dockerfile").read_text()
PYPROJECT = (PROJECT / "pyproject.toml").read_text()
CONSTRAINTS = (PROJECT / "constraints.txt").read_text()


def instructions() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile with their arguments, continued lines joined, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    split = (line.split(maxsplit=1) for line in lines if line.strip())
    return [(words[0], " ".join(words[1:])) for words in split]


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    assert match, pattern
    return match[1]


def ray_version() -> str:
    return found(r"^ray==([\d.]+)", CONSTRAINTS)


def image_tag(torch: str) -> str:
    project = found(r'^version = "(.*)"', PYPROJECT)
    return f"streamer-ray:{project}-ray{ray_version()}-{torch}"


@pytest.mark.parametrize("name", RAY_MANIFESTS)
def test_manifests_name_the_versions_of_the_project(name: str) -> None:
    document = manifest(name)
    assert cluster_spec(document)["rayVersion"] == ray_version()
    images = {container["image"] for pod in pods(document) for container in pod["containers"]}
    assert len(images) == 1
    assert images.pop().endswith("/" + image_tag("cuda"))


def test_the_pinned_ray_is_one_that_the_project_allows() -> None:
    low, high = re.findall(r'"ray\[.*\]>=([\d.]+),<([\d.]+)"', PYPROJECT)[0]
    as_numbers = [tuple(map(int, version.split("."))) for version in (low, ray_version(), high)]
    assert as_numbers == sorted(as_numbers)
    assert as_numbers[1] != as_numbers[2]


def test_the_dockerfile_tells_how_to_build_both_tags() -> None:
    for torch, argument in (("cuda", r"TORCH=cu\d+"), ("cpu", "TORCH=cpu")):
        line = next(line for line in DOCKERFILE.splitlines() if image_tag(torch) in line)
        assert re.search(argument, line)


def test_every_base_image_names_a_release() -> None:
    bases = [words.split()[0] for name, words in instructions() if name == "FROM"]
    assert bases
    for base in bases:
        assert re.search(r":\d+\.\d+-slim-\w+$", base), base


def test_the_image_runs_as_the_user_of_the_manifests() -> None:
    stage = instructions()[max(i for i, (name, _) in enumerate(instructions()) if name == "FROM") :]
    users = [words for name, words in stage if name == "USER"]
    context = next(pods(manifest("train.yaml")))["securityContext"]
    assert users == [f"{context['runAsUser']}:{context['runAsGroup']}"]
    after = stage[[name for name, _ in stage].index("USER") :]
    assert not [words for name, words in after if name == "RUN"]


def test_every_installation_is_pinned_or_of_the_project_alone() -> None:
    runs = [part for name, words in instructions() if name == "RUN" for part in words.split("&&")]
    installs = [part for part in runs if "pip install" in part]
    assert len(installs) == 3
    for part in installs:
        assert "--constraint constraints.txt" in part or part.strip().endswith("--no-deps .")
        assert "--no-cache-dir" in part
    torch = next(part for part in installs if "--index-url" in part)
    assert "--no-deps" in torch, "PyTorch's index lacks the pinned versions of what torch depends on"


def test_the_probes_find_their_program_and_lists_of_packages_are_removed() -> None:
    (line,) = (words for name, words in instructions() if name == "RUN" and "apt-get" in words)
    assert "wget" in line
    assert "--no-install-recommends" in line
    assert "rm -rf /var/lib/apt/lists/*" in line


def test_nothing_is_fetched_by_add_or_kept_as_a_secret() -> None:
    assert not [words for name, words in instructions() if name == "ADD"]
    assert not re.search(r"(?i)(password|secret|token)\w*=", DOCKERFILE)


def test_everything_that_is_copied_passes_the_ignore_file() -> None:
    lines = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied: set[str] = set()
    for name, words in instructions():
        if name == "COPY" and "--from" not in words:
            copied |= {word.rstrip("/") for word in words.split()[:-1]}
    assert copied == allowed
    assert all((PROJECT / path).exists() for path in copied)
