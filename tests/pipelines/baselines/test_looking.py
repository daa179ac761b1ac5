"""What holds for all predictors that look at features, and what each of them finds."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruptures import KernelCPD

from pipelines.baselines.change_points import (
    COMPONENTS,
    among,
    every_snippet,
    fewest_events,
    predict_change_points,
    principal_components,
)
from pipelines.baselines.clustering import cut_tree, merge_order, predict_clustering
from pipelines.baselines.config import BaselineConfig
from pipelines.baselines.novelty import consecutive, predict_novelty
from pipelines.baselines.prediction import make_hierarchy
from streamer.config import DemarcationConfig
from tests.pipelines.baselines.watched import any_features, scenes, watched

PREDICTORS = {
    "novelty": predict_novelty,
    "change_points": predict_change_points,
    "clustering": predict_clustering,
}


def config(name, **options):
    return BaselineConfig(name, ["x"], "out", **options)


@pytest.mark.parametrize("name", PREDICTORS)
@settings(deadline=None, max_examples=60)
@given(features=any_features(), surplus_s=st.sampled_from([0.0, 0.2, 0.49]))
def test_levels_tile_the_video_and_nest(name, features, surplus_s):
    video = watched(features, surplus_s=surplus_s)
    options = {} if name == "novelty" else {"lengths": [0.3, 1.0, 2.5, 9.0]}
    prediction = PREDICTORS[name](video, config(name, **options))
    hierarchy = make_hierarchy(video, prediction)
    hierarchy.validate()
    counts = [len(level) for level in hierarchy.levels]
    if name == "novelty":
        return
    assert len(counts) == 4
    wanted = [video.events_of(length) for length in options["lengths"]]
    if name == "clustering":
        assert counts == wanted
    else:
        assert all(count <= most for count, most in zip(counts, wanted, strict=True))


@pytest.mark.parametrize("name", PREDICTORS)
def test_representations_are_mean_centred_features(name):
    video = watched(scenes([7, 5, 9]))
    options = {} if name == "novelty" else {"lengths": [3.5]}
    hierarchy = make_hierarchy(video, PREDICTORS[name](video, config(name, **options)))
    for event in hierarchy.levels[0]:
        first, stop = (round(2 * time) for time in (event.start_s, event.end_s))
        assert event.representation is not None
        assert event.representation == pytest.approx(video.centred[first:stop].mean(axis=0), abs=1e-6)


@pytest.mark.parametrize("name", ["change_points", "clustering"])
def test_scenes_are_found(name):
    lengths = [6, 9, 4, 12, 5]
    video = watched(scenes(lengths))
    prediction = PREDICTORS[name](video, config(name, lengths=[video.duration_s / 5]))
    assert prediction.boundaries == [(np.cumsum(lengths[:-1]) / 2).tolist()]


def test_lengths_above_the_video_give_one_event():
    video = watched(scenes([3, 4]))
    for name in ("change_points", "clustering"):
        assert PREDICTORS[name](video, config(name, lengths=[100.0])).boundaries == [[]]


# Clustering.


def ward_on_a_chain(features: np.ndarray) -> list[int]:
    """Mergers by the definition: which boundary goes next, each given by the snippet behind it."""
    events = [[k] for k in range(len(features))]
    order = []
    while len(events) > 1:

        def price(place: int) -> float:
            one, other = features[events[place]], features[events[place + 1]]
            gap = one.mean(axis=0) - other.mean(axis=0)
            return len(one) * len(other) / (len(one) + len(other)) * float(gap @ gap)

        place = min(range(len(events) - 1), key=price)
        order.append(events[place + 1][0])
        events[place : place + 2] = [events[place] + events[place + 1]]
    return order


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 30), st.integers(1, 4), st.integers(0, 2**32))
def test_mergers_are_those_of_ward(length, dim, seed):
    features = np.random.default_rng(seed).standard_normal((length, dim))
    removed, order = merge_order(features), ward_on_a_chain(features)
    assert (np.argsort(removed) + 1).tolist() == order
    for events in range(1, length + 1):
        assert cut_tree(removed, events) == sorted(order[length - events :])


# Change points.


def cost(points: np.ndarray, starts: list[int]) -> float:
    edges = [0, *starts, len(points)]
    return sum(float(((points[a:b] - points[a:b].mean(axis=0)) ** 2).sum()) for a, b in pairwise(edges))


@settings(deadline=None, max_examples=50)
@given(
    features=any_features(),
    allowed=st.sets(st.integers(1, 9), max_size=6),
    penalty=st.floats(0.01, 30),
)
def test_a_level_is_optimal_among_the_boundaries_below(features, allowed, penalty):
    points = features.astype(np.float64)
    possible = sorted(start for start in allowed if start < len(points))
    found = list(among(points, possible)(penalty))
    assert set(found) <= set(possible)
    best = min(
        cost(points, list(starts)) + penalty * count
        for count in range(len(possible) + 1)
        for starts in combinations(possible, count)
    )
    assert cost(points, found) + penalty * len(found) == pytest.approx(best, abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(features=any_features(), penalty=st.floats(0.01, 30))
def test_with_all_boundaries_allowed_it_is_the_kernel_change_point_search(features, penalty):
    points = features.astype(np.float64)
    if len(points) == 1:
        return
    ours = list(among(points, range(1, len(points)))(penalty))
    theirs = list(every_snippet(points)(penalty))
    assert cost(points, ours) + penalty * len(ours) == pytest.approx(
        cost(points, theirs) + penalty * len(theirs), abs=1e-6
    )


def test_where_a_penalty_gives_the_number_it_is_the_optimum_of_that_number():
    points = scenes([5, 8, 3, 7, 6, 9], noise=0.2).astype(np.float64)
    for events in (3, 4, 6):
        found = list(fewest_events(points, every_snippet(points), events))
        if len(found) + 1 == events:
            best = KernelCPD(kernel="linear", min_size=1).fit(points).predict(n_bkps=events - 1)
            assert best is not None
            assert cost(points, found) == pytest.approx(cost(points, best[:-1]))
    assert len(fewest_events(points, every_snippet(points), 6)) == 5


def test_the_search_for_a_penalty_ends_where_no_penalty_gives_the_number():
    # Two like changes: both are worth their price, or none is.
    points = np.array([0.0] * 5 + [1.0] * 5 + [0.0] * 5)[:, None]
    assert list(fewest_events(points, every_snippet(points), 2)) == []
    assert list(fewest_events(points, every_snippet(points), 3)) == [5, 10]
    still = np.zeros((9, 2))
    assert list(fewest_events(still, every_snippet(still), 4)) == []


def test_small_changes_are_found_beside_large_ones():
    points = np.array([0.0] * 5 + [100.0] * 5 + [101.0] * 5)[:, None]
    assert list(fewest_events(points, every_snippet(points), 2)) == [5]
    assert list(fewest_events(points, every_snippet(points), 3)) == [5, 10]


def test_principal_components_keep_distances():
    few = np.random.default_rng(0).standard_normal((30, 5)).astype(np.float32)
    assert np.array_equal(principal_components(few), few)
    wide = few @ np.random.default_rng(1).standard_normal((5, 300))
    found = principal_components(wide)
    assert found.shape[1] <= COMPONENTS
    assert np.linalg.norm(found[3] - found[9]) == pytest.approx(np.linalg.norm(wide[3] - wide[9]))


# Novelty.


def test_signals_compare_consecutive_features_and_cut_where_the_rule_says():
    features = scenes([10, 10, 10], noise=0.01)
    video = watched(features)
    prediction = predict_novelty(video, config("novelty", levels=1))
    values = [signal.value for signal in prediction.signals]
    for before, after, value in zip(video.centred[:-1], video.centred[1:], values, strict=True):
        expected = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
        assert value == pytest.approx(float(expected), abs=1e-6)
    window: list[float] = []
    expected_cuts = []
    for index, value in enumerate(values, start=1):
        if window and value < sum(window[-50:]) / len(window[-50:]):
            expected_cuts.append(index)
        window.append(value)
    assert [signal.index for signal in prediction.signals] == list(range(1, 30))
    assert [signal.index for signal in prediction.signals if signal.boundary] == expected_cuts
    assert prediction.boundaries == [[index / 2 for index in expected_cuts]]
    assert {10, 20} <= set(expected_cuts)


def test_upper_levels_compare_the_means_of_events():
    # Two scenes, each of pairs of shots that are alike.
    a, b, c, d = np.eye(4)
    shots = [a + 0.3 * b, a - 0.3 * b, a + 0.3 * b, c + 0.3 * d, c - 0.3 * d, c + 0.3 * d]
    features = np.repeat(np.array(shots), 5, axis=0)
    fixed = DemarcationConfig(mode="fixed", threshold=0.9)
    prediction = predict_novelty(watched(features), config("novelty", levels=2, demarcation=fixed))
    assert prediction.boundaries[0] == [2.5, 5.0, 7.5, 10.0, 12.5]
    upper = [signal for signal in prediction.signals if signal.level == 1]
    assert [signal.index for signal in upper] == [5, 10, 15, 20, 25]
    assert int(np.argmin([signal.value for signal in upper])) == 2
    means = watched(features).centred.reshape(6, 5, 4).mean(axis=1)
    expected = consecutive(means, "similarity")
    assert [signal.value for signal in upper] == pytest.approx(expected.tolist(), abs=1e-6)
    cuts = [signal.index / 2 for signal in upper if signal.value < 0.9]
    assert prediction.boundaries[1] == cuts


def test_signals_are_told_with_their_events():
    video = watched(scenes([4, 6]))
    fixed = DemarcationConfig(mode="fixed", threshold=0.0)
    prediction = predict_novelty(video, config("novelty", levels=1, demarcation=fixed))
    values = {signal.index: signal.value for signal in prediction.signals}
    one, other = make_hierarchy(video, prediction).levels[0]
    assert (one.end_s, one.boundary_signal, other.boundary_signal) == (2.0, values[4], None)
    assert one.mean_signal == pytest.approx(np.mean([values[k] for k in (1, 2, 3)]))
    assert other.mean_signal == pytest.approx(np.mean([values[k] for k in range(4, 10)]))


@pytest.mark.parametrize(
    ("demarcation", "distance"),
    [
        (DemarcationConfig(mode="fixed", threshold=0.5), "similarity"),
        (DemarcationConfig(mode="fixed", threshold=0.5), "distance"),
        (DemarcationConfig(mode="accumulate", threshold=0.4), "distance"),
        (DemarcationConfig(window_size=5, modifier_type="add", modifier=-0.2), "similarity"),
        (DemarcationConfig(modifier=2.0), "distance"),
    ],
)
def test_every_published_rule_finds_the_scenes(demarcation, distance):
    video = watched(scenes([10, 10, 10], noise=0.01))
    options = {"demarcation": demarcation, "distance": distance}
    assert {5.0, 10.0} <= set(predict_novelty(video, config("novelty", **options)).boundaries[0])


def test_distance_is_the_mean_squared_difference():
    found = consecutive(np.array([[1.0, 2.0], [3.0, 2.0], [3.0, 2.0]]), "distance")
    assert found.tolist() == [2.0, 0.0]


def test_there_is_no_level_above_a_single_event():
    still = watched(np.ones((12, 3), np.float32))
    assert predict_novelty(still, config("novelty")).boundaries == [[]]
    single = watched(np.ones((1, 3), np.float32))
    assert predict_novelty(single, config("novelty")).boundaries == [[]]


@pytest.mark.parametrize("mode", ["deviation", "quantile", "peak"])
@settings(deadline=None, max_examples=30)
@given(features=any_features())
def test_novelty_nests_in_every_mode_of_demarcation(mode, features):
    rule = DemarcationConfig(mode=mode, window_size=10)
    video = watched(features)
    make_hierarchy(video, predict_novelty(video, config("novelty", demarcation=rule))).validate()


@pytest.mark.parametrize("mode", ["deviation", "peak"])
def test_novelty_cuts_where_scenes_begin_although_peaks_are_known_later(mode):
    features = scenes([12, 9, 14, 11])
    features = features + np.random.default_rng(1).normal(0, 1e-2, features.shape)
    rule = DemarcationConfig(mode=mode, window_size=50, least_length=4)
    prediction = predict_novelty(watched(features), config("novelty", levels=1, demarcation=rule))
    assert {6.0, 10.5, 17.5} <= set(prediction.boundaries[0])
