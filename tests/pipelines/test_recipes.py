"""Recipes: which model they are, and how options change them."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

from pipelines.cli import main, parse
from pipelines.recipes import RECIPES, adaptive_model
from streamer.config import StreamerConfig

TRAIN = ["videos", "--out", "run"]


def test_the_default_is_the_adaptive_recipe():
    assert parse("train", TRAIN).model == parse("train", [*TRAIN, "--recipe", "adaptive"]).model
    assert parse("train", TRAIN).model == adaptive_model()


def test_the_release_recipe_is_the_published_model():
    config = parse("train", [*TRAIN, "--recipe", "release"])
    assert (config.recipe, config.model) == ("release", StreamerConfig())


def test_options_change_a_recipe_field_by_field():
    words = ["--model.feature_dim", "64", "--model.learning.lr=0.5", "--recipe=release"]
    expected = asdict(StreamerConfig())
    expected["feature_dim"] = 64
    expected["learning"]["lr"] = 0.5
    assert asdict(parse("train", [*TRAIN, *words]).model) == expected


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "train.yaml"
    content = {"recipe": "release", "model": {"feature_dim": 64, "learning": {"lr": 0.5}}}
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_file_may_name_the_recipe_and_the_command_line_another(file):
    release = parse("train", [*TRAIN, "--config", str(file)])
    assert (release.model.features, release.model.feature_dim, release.model.learning.lr) == (None, 64, 0.5)
    adaptive = parse("train", [*TRAIN, "--config", str(file), "--recipe", "adaptive"])
    assert (adaptive.model.features, adaptive.model.feature_dim) == ("comb", 64)
    assert adaptive.model.learning.lr == 0.5
    assert adaptive.model.learning.step_level == "lowest"


def test_help_tells_the_values_of_the_recipe(capsys):
    for recipe, width in (("release", 1024), ("adaptive", 256)):
        with pytest.raises(SystemExit):
            parse("train", ["--recipe", recipe, "--help"])
        told = " ".join(capsys.readouterr().out.split())
        assert f"multiple of 8. (type: int, default: {width})" in told


def test_an_unknown_recipe_is_refused_in_a_line(capsys):
    with pytest.raises(SystemExit):
        main(["train", *TRAIN, "--recipe", "adaptable"])
    assert capsys.readouterr().err.startswith(
        "error: --recipe must be one of adaptive, release, not adaptable"
    )


def test_what_loses_its_object_gives_way():
    vectors = parse("train", [*TRAIN, "--model.modality=vectors"]).model
    assert (vectors.modality, vectors.features) == ("vectors", None)
    fixed = parse("train", [*TRAIN, "--model.demarcation.mode=fixed", "--model.demarcation.threshold=0.2"])
    assert (fixed.model.demarcation.mode, fixed.model.demarcation.threshold) == ("fixed", 0.2)
    rule = parse("train", [*TRAIN, "--model.demarcation.mode=quantile"]).model.demarcation
    assert (rule.mode, rule.least_length) == ("quantile", adaptive_model().demarcation.least_length)


def test_settings_give_way_with_those_that_they_work_on(monkeypatch):
    model = replace(adaptive_model(), shortcut=True, mixing=True, recall=9)
    model = replace(model, learning=replace(model.learning, replay_from="recent"))
    monkeypatch.setitem(RECIPES, "adaptive", lambda: model)

    def given(*words: str) -> StreamerConfig:
        return parse("train", [*TRAIN, *words]).model

    assert (given("--model.mixing=false").recall, given("--model.mixing=false").shortcut) == (0, True)
    plain = given("--model.residual=false")
    assert (plain.shortcut, plain.mixing, plain.recall) == (False, False, 0)
    assert given("--model.learning.replay=0").learning.replay_from == "all"
    pixels = given("--model.features=null")
    assert (pixels.residual, pixels.mixing, pixels.learning.replay_from) == (True, False, "all")


def test_timescales_are_the_levels(tmp_path):
    config = parse("train", [*TRAIN, "--timescales", "2s,10s,1.5m"])
    assert (config.model.timescales, config.model.max_levels) == ((2.0, 10.0, 90.0), 3)
    path = tmp_path / "train.yaml"
    path.write_text("timescales: 2s,10s,90s\n")
    assert parse("train", [*TRAIN, "--config", str(path)]).model == config.model
    own = parse("train", [*TRAIN, "--model.timescales=[2, 10, 60, 300, 900]"]).model
    assert own.timescales == (2, 10, 60, 300, 900)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--timescales", "soon"], "--timescales: 'soon' is no length of time: write 30s, 2m"),
        (["--timescales", "10s,2s"], "--timescales: 2s follows 10s"),
        (["--timescales", "2s", "--model.max_levels", "4"], "names 1 levels but model.max_levels is 4"),
        (
            ["--timescales", "2s,9s", "--model.timescales=[2,8]"],
            "--timescales sets model.timescales and model",
        ),
        (
            ["--timescales", "2s,9s", "--recipe", "release"],
            "needs a threshold that follows, which mode `aver",
        ),
        (
            ["--timescales", "2s,9s", "--model.demarcation.deviations=3"],
            "deviations has no effect where model",
        ),
        (["--timescales", "0.5s,9s"], "0.5s is shorter than the shortest event, 1s"),
    ],
)
def test_timescales_that_cannot_be_met_are_refused_in_a_line(capsys, words, message):
    assert main(["train", *TRAIN, *words]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--recipe=release"],
        ["--timescales", "2s,10s,60s"],
        ["--model.demarcation.mode=fixed", "--model.demarcation.threshold=0.3"],
        ["--model.features=null"],
        ["--model.learning.replay=0"],
        ["--model.upper_levels=learned", "--model.initial_levels=2"],
    ],
)
def test_what_is_printed_as_a_file_asks_for_the_same(tmp_path, capsys, words):
    with pytest.raises(SystemExit):
        parse("train", [*TRAIN, *words, "--print_config"])
    path = tmp_path / "train.yaml"
    path.write_text(capsys.readouterr().out)
    assert parse("train", [*TRAIN, "--config", str(path)]) == parse("train", [*TRAIN, *words])
