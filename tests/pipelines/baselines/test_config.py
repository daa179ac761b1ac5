"""What a baseline is asked for: options that have no effect are refused."""

import pytest

from pipelines.baselines.config import OWN_OPTIONS, BaselineConfig
from pipelines.cli import parse
from streamer.config import DemarcationConfig
from streamer.errors import ConfigError

GIVEN = {
    "period": 2.0,
    "truth_level": "clip",
    "seed": 0,
    "levels": 3,
    "distance": "similarity",
    "demarcation": DemarcationConfig(modifier=0.9),
    "lengths": [4.0],
    "detector": "content",
}


def make(name, **options):
    needs = {"truth": "t.csv"} if name == "uniform" else {}
    return BaselineConfig(name, ["x"], "out", **needs, **options)


@pytest.mark.parametrize("name", OWN_OPTIONS)
def test_options_of_other_predictors_are_refused(name):
    for option, value in GIVEN.items():
        if option in OWN_OPTIONS[name]:
            assert getattr(make(name, **{option: value}), option) == value
        else:
            with pytest.raises(ConfigError, match=f"--{option} has no effect with {name}: leave it away"):
                make(name, **{option: value})


@pytest.mark.parametrize("name", OWN_OPTIONS)
def test_settings_hold_what_has_an_effect(name):
    settings = make(name).settings()
    assert {option for option in GIVEN if option in settings} == set(OWN_OPTIONS[name])
    assert settings["name"] == name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fixed_period", "--period=0"], "--period must be a number of seconds from 0.01 up"),
        (["fixed_period", "--period=1e-9"], "--period must be a number of seconds from 0.01 up"),
        (["fixed_period", "--period=.inf"], "--period must be a number of seconds from 0.01 up"),
        (["random_nested", "--seed=-1"], "--seed must not be negative"),
        (["novelty", "--levels=0"], "--levels must be from 1 to 127"),
        (
            ["novelty", "--demarcation.mode=accumulate", "--demarcation.threshold=1"],
            "add --distance distance",
        ),
        (["clustering", "--lengths=[]"], "--lengths must be positive seconds in ascending order"),
        (["clustering", "--lengths=[4,4]"], "--lengths must be positive seconds in ascending order"),
        (["clustering", "--lengths=[0,4]"], "--lengths must be positive seconds in ascending order"),
        (["clustering", "--lengths=[4,.inf]"], "--lengths must be positive seconds in ascending order"),
        (["uniform"], "name the annotations with --truth"),
        (["novelty", "--workers=0"], "--workers must be at least 1"),
        (["novelty", "--decode_timeout_s=0"], "--decode_timeout_s must be positive"),
        (["novelty", "--snippet_size=0"], "--snippet_size must be positive"),
        (["novelty", "--max_failed=-1"], "--max_failed must not be negative"),
        (["novelty", "--out="], "--out is empty"),
    ],
)
def test_values_that_make_no_sense(words, message):
    name, *options = words
    with pytest.raises(ConfigError, match=message) as caught:
        parse("baseline", [name, "videos", "--out", "run", *options])
    assert "\n" not in str(caught.value)


def test_an_unknown_predictor_is_named_as_a_word_of_the_command(capsys):
    with pytest.raises(SystemExit):
        parse("baseline", ["cluster", "videos", "--out", "run"])
    assert capsys.readouterr().err.startswith("error: name must be one of fixed_period, uniform, ")
