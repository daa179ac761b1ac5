import copy
import dataclasses
import json
import math

import numpy as np
import pytest

from streamer.config import (
    DemarcationConfig,
    LearningConfig,
    StreamerConfig,
    config_difference,
    config_from_dict,
)
from streamer.errors import ConfigError

DISTANCE = {"distance": "distance"}
VECTORS = {"modality": "vectors"}
RESIDUAL = {**VECTORS, "residual": True}
PEAK = {"demarcation": {"mode": "peak"}}


def test_defaults_are_those_of_the_release():
    config = StreamerConfig()
    sizes = (config.feature_dim, config.max_levels, config.initial_levels, config.working_set_size)
    assert sizes == (1024, 3, 1, 10)
    assert (config.evolve_every, config.snippet_size, config.frame_size) == (100_000, 0.5, 128)
    assert (config.force_fixed_buffer, config.distance) == (False, "similarity")
    rule = config.demarcation
    assert (rule.mode, rule.window_size, rule.modifier_type, rule.modifier) == (
        "average",
        50,
        "multiply",
        1.0,
    )
    assert (config.learning.lr, config.learning.alpha, config.learning.optimize_every) == (1e-4, 3, 100)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"feature_dim": 12}, "model.feature_dim"),
        ({"feature_dim": 0}, "model.feature_dim"),
        ({"feature_dim": 8.0}, "model.feature_dim"),
        ({"feature_dim": np.int64(8)}, "model.feature_dim"),
        ({"feature_dim": True}, "model.feature_dim"),
        ({"frame_size": 120}, "model.frame_size"),
        ({"frame_size": -16}, "model.frame_size"),
        ({"channels": (1, 2, 3)}, "model.channels"),
        ({"channels": (1, 2, 3, 0)}, "model.channels"),
        ({"channels": (1, 2, 3, 4.5)}, "model.channels"),
        ({"working_set_size": 0}, "model.working_set_size"),
        ({"snippet_size": 0.0}, "model.snippet_size"),
        ({"snippet_size": math.inf}, "model.snippet_size"),
        ({"snippet_size": math.nan}, "model.snippet_size"),
        ({"max_levels": 0, "initial_levels": 0}, "model.max_levels"),
        ({"max_levels": 128}, "model.max_levels"),
        ({"initial_levels": 0}, "model.initial_levels"),
        ({"initial_levels": 4}, "model.initial_levels"),
        ({"evolve_every": -1}, "model.evolve_every"),
        ({"modality": "video"}, "model.modality"),
        ({"distance": "cosine"}, "model.distance"),
        ({"force_fixed_buffer": 1}, "model.force_fixed_buffer"),
        ({**DISTANCE, "force_base_distance": True}, "model.force_base_distance"),
        ({"modality": "vectors", "normalize_pixels": True}, "model.normalize_pixels"),
        ({"demarcation": {"mode": "accumulate", "threshold": 1.0}}, "model.distance"),
        ({"demarcation": {"mode": "fixed"}}, "model.demarcation.threshold"),
        ({**DISTANCE, "demarcation": {"mode": "accumulate"}}, "model.demarcation.threshold"),
        ({"demarcation": {"mode": "fixed", "threshold": math.nan}}, "model.demarcation.threshold"),
        ({"demarcation": {"mode": "fixed", "threshold": "0.5"}}, "model.demarcation.threshold"),
        ({"demarcation": {"threshold": 0.5}}, "model.demarcation.threshold"),
        ({"demarcation": {"relative": True}}, "model.demarcation.relative"),
        ({"demarcation": {"window_size": 0}}, "model.demarcation.window_size"),
        ({"demarcation": {"mode": "median"}}, "model.demarcation.mode"),
        ({"demarcation": {"modifier_type": "divide"}}, "model.demarcation.modifier_type"),
        ({"demarcation": {"modifier": math.inf}}, "model.demarcation.modifier"),
        ({"demarcation": {"mode": "fixed", "threshold": 0.0, "modifier": 2.0}}, "model.demarcation"),
        ({"demarcation": {"mode": "fixed", "threshold": 0.0, "window_size": 9}}, "model.demarcation"),
        ({"demarcation": {"mode": "fixed", "threshold": 0.0, "modifier_type": "add"}}, "model.demarcation"),
        ({"demarcation": {"mode": "deviation", "share": 0.2}}, "model.demarcation.share"),
        ({"demarcation": {"mode": "quantile", "deviations": 3.0}}, "model.demarcation.deviations"),
        ({"demarcation": {"mode": "peak", "modifier": 2.0}}, "model.demarcation.modifier"),
        ({"demarcation": {"mode": "peak", "threshold": 2.0}}, "model.demarcation.threshold"),
        ({"demarcation": {"mode": "peak", "window_size": 4}}, "model.demarcation.window_size"),
        ({"demarcation": {"mode": "peak", "share": 1.0}}, "model.demarcation.share"),
        ({"demarcation": {"mode": "peak", "least_length": 0}}, "model.demarcation.least_length"),
        ({"demarcation": {"mode": "deviation", "deviations": 0.0}}, "model.demarcation.deviations"),
        ({"demarcation": {"least_length": 2}}, "model.demarcation.least_length"),
        ({"timescales": (2, 10, 60)}, "model.timescales"),
        ({**PEAK, "timescales": (2, 10)}, "model.timescales"),
        ({**PEAK, "timescales": (2, 10, 10)}, "model.timescales"),
        ({**PEAK, "timescales": (0.4, 10, 60)}, "model.timescales: 0.4s is shorter than the shortest event"),
        (
            {"demarcation": {"mode": "peak", "least_length": 3}, "timescales": (2, 5, 60)},
            "model.timescales: 5s is shorter than the shortest event, 6s",
        ),
        ({**PEAK, "timescales": (0, 10, 60)}, "model.timescales"),
        ({**PEAK, "timescales": ("2s", 10, 60)}, "model.timescales must be a list of numbers"),
        (
            {"demarcation": {"mode": "peak", "share": 0.2}, "timescales": (2, 10, 60)},
            "model.demarcation.share",
        ),
        ({**PEAK, "timescales": (2, 10, 60), "force_fixed_buffer": True}, "model.force_fixed_buffer"),
        ({"upper_levels": "kept"}, "model.upper_levels"),
        ({"prices": [1.0, 2.0]}, "model.prices"),
        ({"upper_levels": "merged", "prices": [0.0, 1.0]}, "model.prices"),
        ({**PEAK, "upper_levels": "merged", "prices": [1.0, 2.0], "timescales": (2, 10, 60)}, "model.prices"),
        ({"upper_levels": "merged", "initial_levels": 2}, "model.initial_levels"),
        ({"upper_levels": "merged", "evolve_every": 60}, "model.evolve_every"),
        ({"upper_levels": "merged", "learning": {"alpha": 2.0}}, "model.learning.alpha"),
        ({"upper_levels": "merged", "learning": {"hgn_reach": False}}, "model.learning.hgn_reach"),
        ({"upper_levels": "merged", "learning": {"hgn_timescale": False}}, "model.learning.hgn_timescale"),
        ({"learning": {"lr": 0.0}}, "model.learning.lr"),
        ({"learning": {"lr": math.nan}}, "model.learning.lr"),
        ({"learning": {"lr": math.inf}}, "model.learning.lr"),
        ({"learning": {"alpha": 0}}, "model.learning.alpha"),
        ({"learning": {"optimize_every": 0}}, "model.learning.optimize_every"),
        ({"learning": {"hgn_reach": None}}, "model.learning.hgn_reach"),
        ({"learning": 3}, "model.learning"),
        ({"learning": {"replay_from": "recent"}}, "model.learning.replay"),
        ({"learning": {"replay_from": "best", "replay": 20}}, "model.learning.replay_from"),
        ({**VECTORS, "mixing": True}, "model.residual"),
        ({"residual": True, "mixing": True}, "model.features"),
        ({**RESIDUAL, "recall": 9}, "model.mixing"),
        ({**RESIDUAL, "mixing": True, "recall": 2}, "model.recall"),
        ({**RESIDUAL, "mixing": True, "recall": -1}, "model.recall"),
        ({**VECTORS, "shortcut": True}, "model.residual"),
        ({"residual": True, "shortcut": True}, "model.features"),
    ],
)
def test_refused_values_are_named_on_one_line(values, named):
    with pytest.raises(ConfigError) as refusal:
        config_from_dict(StreamerConfig, values)
    assert named in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "values",
    [
        {"max_levels": 127, "evolve_every": 0, "working_set_size": 1, "frame_size": 16},
        {"force_base_distance": True},
        {**RESIDUAL, "mixing": True, "recall": 3, "shortcut": True},
        {"features": "comb", "feature_dim": 64, "residual": True, "mixing": True, "recall": 1000},
        {**VECTORS, "learning": {"replay": 16, "replay_from": "recent"}},
        {**DISTANCE, "demarcation": {"mode": "accumulate", "threshold": 3}},
        {"demarcation": {"mode": "fixed", "threshold": -0.5}, "learning": {"alpha": 3}},
        {"demarcation": {"window_size": 1, "modifier_type": "add", "modifier": -1}},
        {"demarcation": {"mode": "peak", "window_size": 5, "share": 0.5, "least_length": 3}},
        {**PEAK, "timescales": (2, 10.5, 60), "upper_levels": "merged"},
        {
            "demarcation": {"mode": "peak", "least_length": 3},
            "timescales": (2, 5, 60),
            "upper_levels": "merged",
        },
        {"upper_levels": "merged", "prices": [1, 2.5]},
    ],
)
def test_allowed_values_are_taken(values):
    config_from_dict(StreamerConfig, values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"feature_dims": 8}, "unknown key model.feature_dims (did you mean feature_dim?)"),
        ({"learning": {"rl": 1.0}}, "unknown key model.learning.rl (did you mean lr?)"),
        ({"demarcation": {"qqq": 1}}, "unknown key model.demarcation.qqq"),
    ],
)
def test_an_unknown_key_comes_with_the_nearest_known_one(values, message):
    with pytest.raises(ConfigError) as refusal:
        config_from_dict(StreamerConfig, values)
    assert str(refusal.value) == message


def test_a_configuration_survives_json():
    config = StreamerConfig(
        modality="frames",
        channels=(1, 2, 3, 4),
        distance="distance",
        demarcation=DemarcationConfig(mode="peak", least_length=2),
        timescales=(2.0, 10.5, 60.0),
        learning=LearningConfig(lr=0.1, hgn_timescale=False),
    )
    assert config_from_dict(StreamerConfig, json.loads(json.dumps(config.to_dict()))) == config
    assert config_from_dict(StreamerConfig, config.to_dict()) == config


def test_a_configuration_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        StreamerConfig().feature_dim = 8  # type: ignore[misc]


def test_differences_are_named():
    one = StreamerConfig().to_dict()
    other = copy.deepcopy(one)
    other["channels"] = list(other["channels"])
    assert config_difference(one, other) == []
    other["feature_dim"] = 8
    other["learning"]["lr"] = 1.0
    del other["snippet_size"]
    assert config_difference(one, other) == ["model.feature_dim", "model.learning.lr", "model.snippet_size"]


def test_level_0_alone_can_be_forced_to_distance():
    config = StreamerConfig(force_base_distance=True)
    assert [config.distance_of(level) for level in range(3)] == ["distance", "similarity", "similarity"]
    assert StreamerConfig().distance_of(0) == "similarity"
    assert StreamerConfig(distance="distance").distance_of(2) == "distance"
