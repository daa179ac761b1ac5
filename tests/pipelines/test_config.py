"""Configurations of the commands: what they refuse."""

import re
from dataclasses import fields

import pytest

from pipelines.cli import CONFIGS
from pipelines.config import DemoConfig, SegmentConfig, TrainConfig
from pipelines.recipes import adaptive_model
from streamer.errors import ConfigError

TRAIN = {"inputs": ["videos"], "out": "run"}
SEGMENT = {**TRAIN, "model": "final.pt"}


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (TrainConfig, {**TRAIN, "workers": 0}, "--workers must be at least 1, not 0"),
        (TrainConfig, {**TRAIN, "workers": -3}, "--workers must be at least 1, not -3"),
        (DemoConfig, {"workers": 0}, "--workers must be at least 1, not 0"),
        (TrainConfig, {**TRAIN, "lanes": 0}, "--lanes must be at least 1, not 0"),
        (TrainConfig, {**TRAIN, "sync_every": 0}, "--sync_every must be at least 1, not 0"),
        (TrainConfig, {**TRAIN, "sync": "parameters"}, "use --workers 2 or more"),
        (TrainConfig, {**TRAIN, "inputs": []}, "no input"),
        (SegmentConfig, {**SEGMENT, "inputs": []}, "no input"),
        (TrainConfig, {**TRAIN, "out": ""}, "--out is empty"),
        (SegmentConfig, {**SEGMENT, "out": ""}, "--out is empty"),
        (TrainConfig, {**TRAIN, "max_failed": -1}, "--max_failed must not be negative"),
        (SegmentConfig, {**SEGMENT, "max_failed": -1}, "--max_failed must not be negative"),
    ],
)
def test_inconsistent_values_are_refused_in_one_line(kind, values, message):
    with pytest.raises(ConfigError, match=message) as caught:
        kind(**values)
    assert "\n" not in str(caught.value)


def test_averaging_needs_workers():
    assert TrainConfig(**TRAIN, sync="parameters", workers=2).workers == 2
    with pytest.raises(ConfigError, match="use --workers 2 or more"):
        TrainConfig(**TRAIN, sync="parameters", lanes=2)


def test_defaults_are_the_adaptive_model_and_one_worker():
    config = TrainConfig(**TRAIN)
    assert (config.workers, config.lanes, config.sync_every) == (1, 1, 1)
    assert (config.precision, config.model) == ("float32", adaptive_model())
    assert config.model.feature_dim * config.model.frame_size**2 <= 2**20


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_option_is_documented(config):
    documented = re.findall(r"^        (\w+): ", config.__doc__, re.MULTILINE)
    assert documented == [field.name for field in fields(config)]
