"""docs/datasets.md and docs/from-the-release.md: their commands parse, their code runs, their names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from pipelines.annotations.fifty_salads import FIFTY_SALADS
from pipelines.annotations.reading import FRAME_DATASETS
from pipelines.cli import COMMANDS, CONFIGS, parse
from pipelines.inputs import find_inputs
from pipelines.options import option_types
from streamer.release import settings_to_config
from streamer.streamer import Streamer
from tests.pipelines.annotations.files import epic_row, write_epic
from tests.pipelines.input_files import touch
from tests.streamer.test_release import ARGUMENTS, release_content
from tests.streamer.tiny import tiny

PROJECT = Path(__file__).resolve().parents[1]
DATASETS = (PROJECT / "docs" / "datasets.md").read_text()
RELEASE = (PROJECT / "docs" / "from-the-release.md").read_text()
RECIPES = sorted((PROJECT / "configs").glob("*.yaml"))

RELEASE_SETTINGS = (
    "feature_dim max_layers init_layers evolve_every buffer_size force_fixed_buffer distance_mode "
    "force_base_dist demarcation_mode loss_threshold window_size modifier_type modifier lr alpha "
    "optimize_every snippet_size normalize_imgs hgn_timescale"
)
OTHER_RELEASE_ARGUMENTS = (
    "hgn_reach frame_size dataset dataset_split dataset_percent num_workers init_ckpt optimize save_every "
    "average_every log_prefix log_postfix log_base_every tb output name p_device p_n_nodes p_n_gpus p_n_cpus "
    "p_ram p_partition p_backend"
)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[list[str]]:
    """The words of every line that is one of the commands there are."""
    lines = [line.strip().split() for line in text.splitlines()]
    return [words[1:] for words in lines if words[:1] == ["streamer"] and words[1] in COMMANDS]


@pytest.mark.parametrize("text", [DATASETS, RELEASE], ids=["datasets", "from-the-release"])
def test_commands_parse(text, monkeypatch):
    monkeypatch.chdir(PROJECT)
    found = [words for block in blocks(text, "sh") for words in commands(block)]
    assert found
    for command, *words in found:
        parse(command, words)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_commands_in_recipes_parse_and_use_the_recipe(recipe, monkeypatch):
    monkeypatch.chdir(PROJECT)
    comments = re.sub(r"^#", "", recipe.read_text(), flags=re.MULTILINE)
    for command, *words in commands(comments):
        parse(command, words)
        assert command != "train" or f"configs/{recipe.name}" in words


def test_manifests_are_made_from_annotations(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(*(Path("EPIC-KITCHENS") / name for name in ("P01/videos/P01_01.MP4", "P01/videos/P01_11.MP4")))
    write_epic(Path("EPIC_100_train.csv"), epic_row("P01_01", 0, 1), epic_row("P01_01", 1, 2))
    write_epic(Path("EPIC_100_validation.csv"), epic_row("P01_11", 0, 1), epic_row("P09_01", 0, 1))
    snippet = next(block for block in blocks(DATASETS, "python") if "to_csv" in block)
    exec(compile(snippet, "datasets.md", "exec"), {})
    for split, video_id in (("train", "P01_01"), ("validation", "P01_11")):
        (source,) = find_inputs([f"epic_{split}.csv"]).sources
        assert (source.video_id, source.split) == (video_id, split)
        assert source.uri == str(tmp_path / "EPIC-KITCHENS" / "P01" / "videos" / f"{video_id}.MP4")


def test_annotations_are_read_from_python(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_epic(Path("EPIC_100_validation.csv"), epic_row("P01_11", 0, 1.89))
    snippet = next(block for block in blocks(DATASETS, "python") if "read_truth" in block)
    exec(compile(snippet, "datasets.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == ["EPIC-KITCHENS-100", "1", "[(0.0, 1.89, 'take plate')]"]


def test_the_table_of_datasets_says_what_the_readers_do():
    for dataset in FRAME_DATASETS:
        row = next(line for line in DATASETS.splitlines() if line.startswith(f"| {dataset.name} |"))
        assert f"frames, {dataset.fps:g} a second" in row
        assert all(f"`{label}`" in row for label in dataset.background)
    assert FIFTY_SALADS.file_name.fullmatch("rgb-01-1")


def test_every_argument_of_the_release_has_its_place():
    rows = [line for line in RELEASE.splitlines() if line.startswith("|")]
    first_cells = " ".join(row.split("|")[1] for row in rows)
    for name in f"{RELEASE_SETTINGS} {OTHER_RELEASE_ARGUMENTS}".split():
        assert f"`{name}`" in first_cells, name


def test_every_option_that_stands_beside_them_exists():
    every = {name for config in CONFIGS.values() for name in option_types(config)} | {
        "config",
        "print_config",
    }
    for span in re.findall(r"`([^`\n]+)`", RELEASE):
        words = span.split()
        known = every
        if words[0] == "streamer":
            if words[1] not in COMMANDS:
                continue
            known = set(option_types(CONFIGS[words[1]]))
        elif span.startswith("model."):
            assert span in every | {"model.…", "model.learning"}, span
        for word in words:
            if word.startswith("--") and word != "--model.…":
                assert word[2:] in known, span


def test_the_settings_beside_the_arguments_are_those_that_they_become():
    rows = dict(re.findall(r"^\| `(\w+)`[^|]*\| `model\.([\w.]+)` \|", RELEASE, re.MULTILINE))
    default = settings_to_config({}).to_dict()
    changed = {
        "feature_dim": 64,
        "max_layers": 5,
        "init_layers": 2,
        "evolve_every": 7,
        "buffer_size": 4,
        "force_fixed_buffer": True,
        "force_base_dist": True,
        "window_size": 9,
        "modifier_type": "add",
        "modifier": 0.5,
        "lr": 0.25,
        "alpha": 2,
        "optimize_every": 3,
        "hgn_timescale": False,
        "normalize_imgs": True,
        "distance_mode": "distance",
    }
    for name, value in changed.items():
        config = settings_to_config({name: value}).to_dict()
        assert _flat(config).items() - _flat(default).items() == {(rows[name], value)}, name
    assert settings_to_config({"hgn_reach": False}).to_dict() == default
    fixed = settings_to_config({"demarcation_mode": "fixed", "loss_threshold": 0.5})
    assert rows["loss_threshold"] == "demarcation.threshold"
    assert fixed.demarcation.threshold == 0.5


def _flat(values: dict, prefix: str = "") -> dict:
    return {
        name: value
        for key, held in values.items()
        for name, value in (
            _flat(held, f"{prefix}{key}.") if isinstance(held, dict) else {f"{prefix}{key}": held}
        ).items()
    }


def test_a_checkpoint_of_the_release_is_converted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source = Streamer(tiny())
    torch.save(release_content(source, model_args=dict(ARGUMENTS), model_snippet_size=0.25), "checkpoint.pt")
    snippet = next(block for block in blocks(RELEASE, "python") if "load_release_checkpoint" in block)
    exec(compile(snippet, "from-the-release.md", "exec"), {})
    assert "StreamerConfig(" in capsys.readouterr().out
    assert Path("converted.pt").is_file()


@pytest.mark.parametrize("name", ["datasets.md", "from-the-release.md"])
def test_linked_pages_exist(name):
    for target in re.findall(r"\]\(([^)#:]+)\)", (PROJECT / "docs" / name).read_text()):
        assert (PROJECT / "docs" / target).is_file(), target
