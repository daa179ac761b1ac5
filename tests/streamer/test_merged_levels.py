"""Levels that are merged from the finest events when a video ends."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from streamer.config import PRICES
from streamer.demarcation_config import DemarcationConfig
from streamer.errors import ConfigError
from streamer.hierarchy import Event, Hierarchy
from streamer.merge_tree import SLACK
from streamer.merged_levels import merged_level, with_merged_levels
from streamer.palette import PALETTE_DIM
from streamer.streamer import Streamer
from tests.streamer.tiny import tiny, vectors

RULE = DemarcationConfig(mode="quantile", window_size=30, share=0.3)
CALIBRATED = DemarcationConfig(mode="peak", window_size=60, least_length=2)
MERGED: dict[str, Any] = {"evolve_every": 100_000, "upper_levels": "merged", "demarcation": RULE}


def direction(degrees: float) -> np.ndarray:
    """A vector of length 2."""
    angle = np.deg2rad(degrees)
    return np.array([2 * np.cos(angle), 2 * np.sin(angle), 0, 0, 0, 0, 0, 0], np.float32)


def hierarchy(lengths: list[int], degrees: list[float]) -> Hierarchy:
    """Events of so many snippets of half a second, whose representations have these directions."""
    edges = np.concatenate([[0], np.cumsum(lengths)]) * 0.5
    events = [
        Event(start, end, value / 10, value / 5, direction(value))
        for (start, end), value in zip(pairwise(edges.tolist()), degrees, strict=True)
    ]
    return Hierarchy("v", float(edges[-1]), 0.5, [events], sum(lengths))


def scenes(count: int, length: int, dim: int = 8) -> np.ndarray:
    random = np.random.default_rng(0)
    return np.repeat(random.normal(3, 2, (count, dim)), length, axis=0) + random.normal(
        0, 0.1, (count * length, dim)
    )


def assert_about(merged: Hierarchy, counts: list[int]) -> None:
    merged.validate()
    assert len(merged.levels[0]) == counts[0]
    for level, count in zip(merged.levels, counts, strict=True):
        assert count / SLACK <= len(level) <= count * SLACK


def test_counts_follow_from_timescales():
    config = tiny(**{**MERGED, "demarcation": CALIBRATED}, timescales=(2.0, 6.0, 30.0))
    merged = with_merged_levels(hierarchy([4] * 30, list(range(30))), config)  # 60 s
    assert_about(merged, [30, 10, 2])


def test_events_cost_more_than_their_levels_price():
    """Eight snippets merged with as many cost four times one less the cosine between them."""
    whole = hierarchy([8] * 4, [0.0, 10.0, 100.0, 145.0])
    price = 4 * (1 - math.cos(math.radians(45)))
    for prices, counts in (
        ((price - 0.01, price + 0.01), [4, 3, 2]),
        ((0.01, 20.0), [4, 4, 1]),
    ):
        merged = with_merged_levels(whole, tiny(**MERGED, max_levels=3, prices=prices))
        assert [len(level) for level in merged.levels] == counts
        merged.validate()


def test_known_prices_are_those_of_the_first_levels():
    assert tiny(**MERGED, max_levels=3).merge_prices == PRICES[:2]
    assert tiny(**MERGED, max_levels=len(PRICES) + 1).merge_prices == PRICES


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"max_levels": 6}, "name model.timescales or model.prices"),
        ({"max_levels": 3, "prices": (1.0,)}, "give one fewer"),
        ({"max_levels": 3, "prices": (1.0, 1.0)}, "must rise"),
        ({"max_levels": 2, "prices": (0.0,)}, "must be positive"),
        ({"max_levels": 2, "prices": (1.0,), "upper_levels": "learned"}, "have no effect"),
        (
            {"max_levels": 2, "prices": (1.0,), "timescales": (2.0, 9.0), "demarcation": CALIBRATED},
            "remove one of them",
        ),
    ],
)
def test_prices_that_make_no_sense_are_refused(settings, told):
    with pytest.raises(ConfigError, match=told):
        tiny(**{**MERGED, **settings})


@pytest.mark.parametrize("events", [1, 2, 3])
def test_every_video_has_all_levels(events):
    config = tiny(**MERGED, max_levels=4)
    merged = with_merged_levels(hierarchy([2] * events, list(range(events))), config)
    assert [len(level) for level in merged.levels] == [events, 1, 1, 1]
    merged.validate()


def test_alike_neighbours_are_merged_with_their_means_and_heights():
    whole = hierarchy([1, 3, 2, 2], [0.0, 1.0, 90.0, 92.0])
    merged = with_merged_levels(whole, tiny(**MERGED, max_levels=2, prices=(0.5,)))
    one, other = merged.levels[1]
    assert (one.start_s, one.end_s, other.start_s, other.end_s) == (0.0, 2.0, 2.0, 4.0)
    assert one.representation is not None
    assert other.representation is not None
    mean, other_mean = (direction(0) + 3 * direction(1)) / 4, (direction(90) + direction(92)) / 2
    np.testing.assert_allclose(one.representation, mean, rtol=1e-6)
    np.testing.assert_allclose(other.representation, other_mean, rtol=1e-6, atol=1e-6)
    assert one.mean_signal == pytest.approx(0.075)
    cosine = mean @ other_mean / np.linalg.norm(mean) / np.linalg.norm(other_mean)
    assert one.boundary_signal == pytest.approx(4 * 4 / 8 * (1 - cosine), rel=1e-5)
    assert other.boundary_signal is None


def test_the_palette_of_comb_decides_between_scenes():
    """Views are as unlike in one scene as between two; colours are alike in one scene only."""
    config = tiny(**MERGED, modality="frames", features="comb", feature_dim=64, max_levels=4)
    random = np.random.default_rng(0)
    palettes = np.repeat(np.eye(3, PALETTE_DIM), 3, axis=0)
    vectors = np.concatenate([palettes, random.normal(size=(9, 64 - PALETTE_DIM))], axis=1)
    edges = np.arange(0, 181, 20.0).tolist()
    events = [
        Event(start, end, None, None, vector.astype(np.float32))
        for (start, end), vector in zip(pairwise(edges), vectors, strict=True)
    ]
    merged = with_merged_levels(Hierarchy("v", 180.0, 0.5, [events], 360), config)
    assert [len(level) for level in merged.levels] == [9, 9, 3, 3]
    assert [event.start_s for event in merged.levels[3]] == [0.0, 60.0, 120.0]


def test_unknown_signals_count_for_nothing():
    whole = hierarchy([2, 2], [1.0, 3.0])
    silent = Event(0.0, 1.0, None, 0.5, whole.levels[0][0].representation)
    merged = with_merged_levels(Hierarchy("v", 2.0, 0.5, [[silent, whole.levels[0][1]]], 4), tiny(**MERGED))
    assert merged.levels[1][0].mean_signal == pytest.approx(0.3)


@pytest.mark.parametrize("train", [True, False], ids=["training", "inference"])
def test_events_of_all_levels_are_represented_by_the_mean_of_their_inputs_as_they_came(train):
    for rule in (RULE, DemarcationConfig(mode="peak", window_size=30, share=0.5)):
        config = tiny(**{**MERGED, "demarcation": rule}, center=True, residual=True)
        model, x = Streamer(config, train=train), scenes(10, 8)
        for vector in torch.from_numpy(x):
            model.observe(vector)
        found = model.end_video()
        found.validate()
        assert found.num_levels == 3
        assert len(found.levels[0]) > 5
        for level in found.levels:
            for event in level:
                assert event.representation is not None
                inputs = x[int(event.start_s / 0.5) : int(event.end_s / 0.5)]
                np.testing.assert_allclose(event.representation, inputs.mean(axis=0), rtol=1e-4, atol=1e-5)


def test_only_level_0_is_learned():
    model = Streamer(tiny(**{**MERGED, "demarcation": DemarcationConfig(mode="fixed", threshold=2.0)}))
    levels = {signal.level for x in vectors(60) for signal in model.observe(x)}
    assert (len(model.levels), levels) == (1, {0})
    found = model.end_video()
    assert found.tree is not None
    assert found.tree.events == len(found.levels[0])


def test_scenes_are_a_level():
    config = tiny(
        **{**MERGED, "demarcation": CALIBRATED},
        timescales=(2.0, 6.0),
        max_levels=2,
        center=True,
        residual=True,
    )
    model = Streamer(config, train=False)
    for vector in torch.from_numpy(scenes(20, 12)):
        model.observe(vector)
    found = model.end_video()
    assert found.boundaries(1).tolist() == [6.0 * scene for scene in range(1, 20)]


def test_a_learned_model_has_no_tree():
    model = Streamer(tiny(), train=False)
    for x in vectors(10):
        model.observe(x)
    assert model.end_video().tree is None


def test_a_video_cut_coarser_has_the_levels_that_are_asked_for():
    whole = with_merged_levels(hierarchy([2] * 12, list(range(12))), tiny(**MERGED))
    assert whole.tree is not None
    finer: set[float] = set(whole.boundaries(0).tolist())
    for count in range(12, 0, -1):
        level = merged_level(whole, whole.tree, count)
        starts = {event.start_s for event in level[1:]}
        assert len(level) == count
        assert starts <= finer
        finer = starts


@pytest.mark.parametrize(("mode", "upper"), [("quantile", "learned"), ("peak", "merged")])
def test_every_level_keeps_to_its_timescale(mode, upper):
    random = np.random.default_rng(0)
    scales = ((40, 3.0), (8, 1.0), (1, 0.3))
    x = sum(np.repeat(random.normal(0, size, (800 // length, 8)), length, axis=0) for length, size in scales)
    config = tiny(
        residual=True,
        center=True,
        timescales=(2.0, 8.0, 40.0),
        demarcation=DemarcationConfig(mode=mode, window_size=200, least_length=2),
        upper_levels=upper,
        evolve_every=100_000,
        initial_levels=3 if upper == "learned" else 1,
    )
    model = Streamer(config, train=False)
    model.offer(np.asarray(x))
    for _ in range(800):
        model.advance()
    for level, wanted_s in zip(model.end_video().levels, (2.0, 8.0, 40.0), strict=True):
        assert 1 / 1.5 <= len(level) / (400 / wanted_s) <= 1.5
