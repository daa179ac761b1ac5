"""What the file of a sweep asks for: trials and their names; what is refused, in a line with file and key."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cli import main, parse
from pipelines.sweep.config import SweepFile
from pipelines.sweep.options import nested
from pipelines.sweep.plan import Plan, SweepError, describe_value, read_plan, short_names, trial_name
from tests.pipelines.finished_run import files_below
from tests.pipelines.sweep.files import SPACE, write_file


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The working directory, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan_of(folder: Path, **changes) -> Plan:
    return read_plan(str(write_file(folder, **changes)))


def test_a_grid_is_every_combination_the_last_key_first(tmp_path):
    plan = plan_of(tmp_path)
    assert [trial.name for trial in plan.trials] == [
        "0001-lr=0.0001,modifier=0.8",
        "0002-lr=0.0001,modifier=1.2",
        "0003-lr=0.001,modifier=0.8",
        "0004-lr=0.001,modifier=1.2",
    ]
    third = plan.trials[2]
    assert third.settings == {"model.learning.lr": 1e-3, "model.demarcation.modifier": 0.8}
    assert third.folder.root == tmp_path / "sweep" / "trials" / third.name
    assert third.config.model.learning.lr == 1e-3
    assert third.config.model.demarcation.modifier == 0.8


RANDOM = {
    "search": "random",
    "samples": 5,
    "space": {
        "model.learning.lr": {"loguniform": [1e-5, 1e-1]},
        "model.demarcation.modifier": {"uniform": [0.8, 1.2]},
        "model.learning.optimize_every": {"randint": [1, 50]},
        "model.max_levels": [2, 3],
    },
}


def test_a_random_search_follows_from_its_seed_and_more_samples_begin_as_fewer_do(tmp_path):
    names = {
        (samples, seed): [
            trial.name for trial in plan_of(tmp_path, **{**RANDOM, "samples": samples, "seed": seed}).trials
        ]
        for samples in (5, 9)
        for seed in (None, 0, 1)
    }
    assert names[9, 0][:5] == names[5, 0] == names[5, None]
    assert set(names[5, 0]).isdisjoint(names[5, 1])
    assert names[5, 0][0] == "0001-lr=0.00353059,modifier=0.907915,optimize_every=16,max_levels=2"


def test_a_random_search_can_take_all_of_a_finite_space(tmp_path):
    space = {"model.max_levels": [1, 2, 3], "model.learning.optimize_every": {"randint": [1, 4]}}
    plan = plan_of(tmp_path, search="random", samples=12, space=space)
    settings = {tuple(trial.settings.values()) for trial in plan.trials}
    assert settings == {(levels, every) for levels in (1, 2, 3) for every in (1, 2, 3, 4)}


def test_a_group_of_options_is_chosen_as_a_whole(tmp_path):
    space = {"model.demarcation": [{"mode": "fixed", "threshold": 0.5}, {"modifier": 1.1}, {}]}
    fixed, changed, default = (
        trial.config.model.demarcation for trial in plan_of(tmp_path, space=space).trials
    )
    assert (fixed.mode, fixed.threshold) == ("fixed", 0.5)
    assert (changed.mode, changed.modifier) == ("average", 1.1)
    assert default.modifier == 1.0
    names = [trial.name for trial in plan_of(tmp_path, space=space).trials]
    assert names == ["0001-demarcation=fixed+0.5", "0002-demarcation=1.1", "0003-demarcation=default"]


def test_yaml_that_takes_numbers_for_text_means_numbers(tmp_path):
    path = write_file(tmp_path)
    path.write_text(path.read_text().replace("0.0001", "1e-4"))
    assert read_plan(str(path)).trials[0].settings["model.learning.lr"] == 1e-4


@pytest.mark.parametrize(
    "changes",
    [
        {},
        RANDOM,
        {"space": {"model.demarcation": [{"mode": "fixed", "threshold": 0.5}, {}], "seed": [1, 2]}},
        {"space": {"model.channels": [[4, 4, 8, 8], [8, 8, 8, 8]], "signals": [True, False]}},
    ],
)
def test_a_trial_is_the_training_that_its_options_file_asks_for(here, changes):
    for trial in plan_of(here, **changes).trials:
        options = here / "train.yaml"
        options.write_text(yaml.safe_dump(nested({**trial.options, "out": trial.config.out})))
        assert parse("train", ["--config", str(options)]) == trial.config


def test_paths_mean_the_same_in_every_folder(here):
    train = {
        "recipe": "release",
        "inputs": ["videos", "http://127.0.0.1/a.mp4"],
        "truth": "t.csv",
        "cache": "c",
        "init": "m.pt",
    }
    config = plan_of(here, train=train).trials[0].config
    assert config.inputs == [str(here / "videos"), "http://127.0.0.1/a.mp4"]
    assert (config.truth, config.cache, config.init) == tuple(str(here / n) for n in ("t.csv", "c", "m.pt"))


def refusal(capsys, path: Path) -> str:
    """The one line with which a sweep is refused."""
    assert main(["sweep", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {path}: ")
    assert captured.err.count("\n") == 1
    return captured.err.strip().removeprefix(f"error: {path}: ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrc": "x"}, "unknown key metrc (did you mean metric?)"),
        ({"metric": None}, "metric must be given: see docs/sweeps.md"),
        ({"metric": ""}, "metric is empty: name a score"),
        ({"metric": {"name": "x"}}, "metric must be text, not {'name': 'x'}"),
        ({"out": ""}, "out is empty"),
        ({"out": 3}, "out must be text, not 3"),
        ({"mode": "most"}, "mode must be one of max, min, not 'most'"),
        ({"search": "best"}, "search must be one of grid, random, not 'best'"),
        ({"concurrent": 0}, "concurrent must be at least 1, not 0"),
        ({"concurrent": True}, "concurrent must be a whole number, not True"),
        ({"max_failed": -1}, "max_failed must not be negative, not -1"),
        ({"samples": 3}, "samples has no effect with search: grid: remove it"),
        ({"seed": 3}, "seed has no effect with search: grid: remove it"),
        ({"search": "random"}, "search: random needs samples"),
        ({**RANDOM, "samples": 0}, "samples must be at least 1, not 0"),
        ({**RANDOM, "seed": -1}, "seed must not be negative, not -1"),
        ({**RANDOM, "samples": 10_000}, "asks for 10000 trials: a sweep has 9999 at most"),
        ({"space": {"seed": list(range(101)), "lanes": list(range(1, 101))}}, "asks for 10100 trials"),
        ({"search": "random", "samples": 5}, "samples is 5, but the space has only 4 settings"),
        ({"train": None}, "train must be given"),
        ({"train": ["videos"]}, "train must be options of its own, not ['videos']"),
        ({"train": {"truth": "t.csv"}}, "train.inputs must be given: a list of videos or folders"),
        ({"train": {"inputs": "videos"}}, "train.inputs must be a list, each text, not 'videos'"),
        (
            {"train": {"inputs": [], "recipe": "release"}},
            "trial 1 (lr=0.0001,modifier=0.8): no input: name videos",
        ),
        ({"train": {"inputs": ["v"], "workrs": 2}}, "unknown key train.workrs (did you mean train.workers?)"),
        (
            {"train": {"inputs": ["v"], "model": {"learning": {"ler": 2}}}},
            "unknown key train.model.learning.ler (did you mean train.model.learning.lr?)",
        ),
        (
            {"train": {"inputs": ["v"], "recipe": "release", "workers": 0}},
            "--workers must be at least 1, not 0",
        ),
        ({"train": {"inputs": ["v"], "workers": "two"}}, "train.workers must be a whole number, not 'two'"),
        ({"train": {"inputs": ["v"], "model": 3}}, "train.model must be options of its own, not 3"),
        ({"train": {"inputs": ["v"], "out": "x"}}, "train.out is the sweep's to set: remove it"),
        ({"train": {"inputs": ["v"], "fresh": True}}, "train.fresh is the sweep's to set: remove it"),
        (
            {"train": {"inputs": ["v"], "model": {"learning": {"lr": 1}}}},
            "space.model.learning.lr is searched, so train.model.learning.lr has no effect: remove one",
        ),
        ({"space": {}}, "space is empty"),
        (
            {"space": {"model.lerning.lr": [1]}},
            "unknown key space.model.lerning.lr (did you mean model.learning",
        ),
        (
            {"space": {"truth": ["a", "b"]}},
            "space.truth cannot be searched: all trials must have the same",
        ),
        ({"space": {"out": ["a", "b"]}}, "space.out cannot be searched"),
        ({"space": {"seed": []}}, "space.seed has no choice"),
        ({"space": {"seed": [1, 1]}}, "space.seed has 1 twice: remove one"),
        (
            {"space": {"seed": 1}},
            "space.seed must be a list of choices, or one of uniform, loguniform, randint",
        ),
        ({"space": {"seed": ["x"]}}, "space.seed must be a whole number, not 'x'"),
        ({"space": {"seed": {"normal": [1, 2]}}}, "unknown key space.seed.normal"),
        ({"space": {"seed": {"randnt": [1, 2]}}}, "unknown key space.seed.randnt (did you mean randint?)"),
        (
            {"space": {"seed": {"randint": [1, 2]}}},
            "space.seed.randint is drawn from: give a list, or use search",
        ),
        (
            {"space": {"seed": {"uniform": [1, 2]}}},
            "space.seed.uniform draws any numbers, but seed is a whole",
        ),
        ({"space": {"model.learning.lr": {"randint": [1, 2]}}}, "lr is a finite number: use a list"),
        (
            {"space": {"model.learning.lr": {"uniform": [2, 1]}}},
            "from a smaller to a greater number, not from 2",
        ),
        ({"space": {"model.learning.lr": {"uniform": 2}}}, "must be two numbers, [LOW, HIGH], not 2"),
        (
            {"space": {"model.learning.lr": {"uniform": [1, float("inf")]}}},
            "must be a finite number, not inf",
        ),
        ({"space": {"model.learning.lr": {"loguniform": [0, 1]}}}, "must begin above 0, not at 0.0"),
        ({"space": {"model.learning.lr": [0.1, -1]}}, "trial 2 (lr=-1): model.learning.lr must be positive"),
        (
            {"space": {"model.demarcation": [{"treshold": 1}]}},
            "unknown key space.model.demarcation.treshold (did you mean space.model.demarcation.threshold?)",
        ),
        (
            {"space": {"model.demarcation": [{}], "model.demarcation.modifier": [1]}},
            "space.model.demarcation.modifier and space.model.demarcation set the same option: remove one",
        ),
        (
            {"space": {"model.demarcation.mode": ["fixed"]}},
            "trial 1 (mode=fixed): model.demarcation.mode `fixed`",
        ),
    ],
)
def test_what_is_refused(here, capsys, changes, message):
    path = write_file(here, **changes)
    assert message in refusal(capsys, path)
    assert [found.name for found in here.iterdir()] == ["sweep.yaml"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("!!python/object:os.system {}", "is not YAML"),
        ("", "holds no sweep: see docs/sweeps.md"),
        ("- a", "holds no sweep"),
        ("1: 2", "unknown key 1"),
    ],
)
def test_what_is_no_sweep(here, capsys, text, message):
    path = here / "sweep.yaml"
    path.write_text(text)
    assert message in refusal(capsys, path)


def test_a_file_that_is_absent(here, capsys):
    assert "cannot be read (No such file or directory)" in refusal(capsys, here / "none.yaml")


def test_a_run_to_start_from_must_be_there(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(SweepError, match="holds no final checkpoint"):
        plan_of(tmp_path, train={"inputs": ["v"], "recipe": "release", "init": str(tmp_path / "run")})
    assert files_below(tmp_path / "run") == {}


def test_short_names_tell_options_apart():
    assert short_names(list(SPACE)) == {"model.learning.lr": "lr", "model.demarcation.modifier": "modifier"}
    assert short_names(["seed"]) == {"seed": "seed"}
    assert short_names(["model.a.mode", "model.b.mode", "seed"]) == {
        "model.a.mode": "a.mode",
        "model.b.mode": "b.mode",
        "seed": "seed",
    }


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1e-4, "0.0001"),
        (1.0, "1"),
        (3, "3"),
        (None, "none"),
        (True, "true"),
        ((4, 8), "4-8"),
        ("bf16", "bf16"),
    ],
)
def test_values_in_a_few_characters(value, told):
    assert describe_value(value) == told


@given(st.text(), st.integers(1, 9999))
def test_a_name_never_leads_out_of_its_folder(told, number):
    name = trial_name(number, told)
    assert name.startswith(f"{number:04d}-")
    assert len(name) <= 125
    assert re.fullmatch(r"(?:[\w.\-~=,+]|%[0-9A-F]{2})+", name, re.ASCII)


def test_every_key_is_documented():
    documented = re.findall(r"^        (\w+): ", SweepFile.__doc__ or "", re.MULTILINE)
    assert documented == [field.name for field in fields(SweepFile)]
