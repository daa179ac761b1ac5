"""The README's code and the files in configs/ work as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from pipelines.cli import parse
from pipelines.config import TrainConfig
from pipelines.run_folder import RunFolder
from pipelines.store import HierarchyStore
from streamer.hierarchy import Event, Hierarchy

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text()


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def demo_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run where the README expects the demo's, with one video of two levels."""
    monkeypatch.chdir(tmp_path)
    folder = RunFolder("runs/demo/run")
    folder.create()
    z = np.ones(8, np.float32)
    levels = [[Event(0, 1, 0.5, 0.1, z), Event(1, 2, 0.5, 0.2, z), Event(2, 3, 0.5, None, z)]]
    levels.append([Event(0, 2, 0.5, 0.3, z), Event(2, 3, 0.5, None, z)])
    HierarchyStore(folder, {}, signals=True).write(Hierarchy("kitchen-01", 3.0, 0.5, levels, 6), [])
    return folder


def test_the_pandas_example_counts_events(demo_run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    example = next(block for block in code_blocks("python") if "pandas" in block)
    exec(compile(example, "README.md", "exec"), {})
    assert re.search(r"kitchen-01\s+0\s+3\s+1\.0", capsys.readouterr().out)


def test_the_duckdb_example_finds_the_event_above(demo_run: RunFolder) -> None:
    duckdb = pytest.importorskip("duckdb")
    (example,) = code_blocks("sql")
    assert duckdb.sql(example).fetchall() == [
        ("kitchen-01", 0.0, 1.0, 0.0, 2.0),
        ("kitchen-01", 1.0, 2.0, 0.0, 2.0),
        ("kitchen-01", 2.0, 3.0, 2.0, 3.0),
    ]


def test_every_make_target_and_command_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z]+)", README)) <= targets
    for line in re.findall(r"^streamer (\w+ .*?)(?:\s+#.*)?$", README, re.MULTILINE):
        command, *words = line.split()
        parse(command, words)


@pytest.mark.parametrize(
    "document",
    ["evaluation", "events", "features", "from-the-release", "outputs", "quality", "report", "sweeps"],
)
def test_command_lines_of_documents_are_understood(document: str) -> None:
    text = (PROJECT / "docs" / f"{document}.md").read_text()
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        whole_lines = block.replace("\\\n", " ")
        for line in re.findall(r"^streamer (\w+ .*?)(?:\s+#.*)?$", whole_lines, re.MULTILINE):
            command, *words = shlex.split(line)
            parse(command, words)


def test_every_linked_document_and_picture_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (PROJECT / target).is_file(), target


@pytest.mark.parametrize("path", sorted((PROJECT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_configuration_file_is_accepted(path: Path) -> None:
    config = parse("train", ["videos", "--out", "run", "--config", str(path)])
    assert config.inputs == ["videos"]


def test_the_demo_configuration_is_the_default_one() -> None:
    config = parse("train", ["videos", "--out", "run", "--config", str(PROJECT / "configs" / "demo.yaml")])
    assert config == TrainConfig(["videos"], "run")


def test_the_published_recipes_differ_only_in_growth() -> None:
    epic, ego4d = (
        parse(
            "train", ["videos", "--out", "run", "--config", str(PROJECT / "configs" / f"{name}.yaml")]
        ).model
        for name in ("epic_kitchens", "ego4d")
    )
    assert (epic.working_set_size, epic.force_fixed_buffer, epic.feature_dim) == (20, True, 1024)
    assert (epic.evolve_every, ego4d.evolve_every) == (10_000, 50_000)
