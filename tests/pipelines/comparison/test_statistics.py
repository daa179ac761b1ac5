"""The figures, against loops that compute them as one would by hand."""

import numpy as np
import pytest

from pipelines.comparison.columns import shared_scores
from pipelines.comparison.statistics import HEADLINES, Figure, compare_columns
from pipelines.evaluation.predictors import SHUFFLED
from pipelines.evaluation.scores import Score
from streamer.errors import ConfigError
from tests.pipelines.comparison.scored_runs import (
    VIDEOS,
    annotated,
    floors,
    opened,
    rows,
    scored_run,
    simple_run,
    values_of,
)

SEED = 4
DRAWS = 2000


def figures_of(*folders, metrics=(), seed=SEED) -> list[Figure]:
    return compare_columns(shared_scores(opened(*folders)), metrics, seed=seed)


def figure(figures, column, metric="hlr_iou", **wanted) -> Figure:
    chosen = [
        f
        for f in figures
        if f.column == column
        and f.metric == metric
        and f.aggregate == wanted.get("aggregate", "mean")
        and all(getattr(f, name) == value for name, value in wanted.items())
    ]
    assert len(chosen) == 1, chosen
    return chosen[0]


def naive_interval(statistic, videos: int) -> list[float]:
    """Ends of the 95 % percentile bootstrap interval of `statistic(videos drawn)`, one draw at a time."""
    random = np.random.default_rng(SEED)
    drawn = random.integers(videos, size=(DRAWS, videos))
    return list(np.quantile([statistic(list(row)) for row in drawn], [0.025, 0.975]))


def test_means_and_paired_differences_are_those_of_a_loop(tmp_path):
    a, b = values_of(1), values_of(2, shift=0.1)
    found = figure(figures_of(simple_run(tmp_path / "a", 1), simple_run(tmp_path / "b", 2, shift=0.1)), "b")
    first, second = list(a.values()), list(b.values())
    assert found.value == pytest.approx(np.mean(second))
    assert [found.low, found.high] == pytest.approx(
        naive_interval(lambda drawn: np.mean([second[v] for v in drawn]), len(VIDEOS))
    )
    assert found.difference == pytest.approx(np.mean(second) - np.mean(first))
    assert [found.difference_low, found.difference_high] == pytest.approx(
        naive_interval(lambda drawn: np.mean([second[v] - first[v] for v in drawn]), len(VIDEOS))
    )
    assert found.wins == sum(y > x for x, y in zip(first, second, strict=True))
    assert found.losses == sum(y < x for x, y in zip(first, second, strict=True))
    assert (found.ties, found.pairs, found.videos, found.undefined) == (0, 8, 8, 0)


def test_pooled_values_are_those_of_a_loop(tmp_path):
    """Long videos weigh more than short ones, in the value and in the interval."""
    sizes = {name: 10.0 * (place + 1) for place, name in enumerate(VIDEOS)}
    folders = []
    for name, seed in (("a", 1), ("b", 2)):
        scores = [
            Score(
                video, "streamer", "scene", None, "frame_accuracy", value, value * sizes[video], sizes[video]
            )
            for video, value in values_of(seed).items()
        ]
        folders.append(scored_run(tmp_path / name, [*annotated(), *scores, *floors()]))
    found = figure(figures_of(*folders), "b", "frame_accuracy", aggregate="pooled")
    weights = list(sizes.values())
    first, second = list(values_of(1).values()), list(values_of(2).values())

    def pooled(values, drawn):
        return sum(values[v] * weights[v] for v in drawn) / sum(weights[v] for v in drawn)

    everything = range(len(VIDEOS))
    assert found.value == pytest.approx(pooled(second, everything))
    assert [found.low, found.high] == pytest.approx(naive_interval(lambda d: pooled(second, d), 8))
    assert found.difference == pytest.approx(pooled(second, everything) - pooled(first, everything))
    assert [found.difference_low, found.difference_high] == pytest.approx(
        naive_interval(lambda drawn: pooled(second, drawn) - pooled(first, drawn), 8)
    )
    assert figure(figures_of(*folders), "b", "frame_accuracy").value == pytest.approx(np.mean(second))


def test_undefined_values_are_counted_and_never_averaged_in(tmp_path):
    mine = values_of(1)
    mine["v0"] = float("nan")
    a = scored_run(tmp_path / "a", [*annotated(), *rows(mine), *floors()])
    b = simple_run(tmp_path / "b", 2)
    found = figures_of(a, b)
    own = figure(found, "a")
    assert (own.videos, own.undefined) == (7, 1)
    assert own.value == pytest.approx(np.mean(list(mine.values())[1:]))
    other = figure(found, "b")
    assert (other.videos, other.pairs) == (8, 7)
    pairs = [(x, y) for x, y in zip(mine.values(), values_of(2).values(), strict=True) if x == x]
    assert other.difference == pytest.approx(np.mean([y - x for x, y in pairs]))


def test_the_reference_has_no_difference_to_itself(tmp_path):
    own = figure(figures_of(simple_run(tmp_path / "a", 1), simple_run(tmp_path / "b", 2)), "a")
    assert np.isnan(own.difference)
    assert (own.wins, own.losses, own.ties, own.pairs) == (None, None, None, None)


def test_floors_are_held_against_the_reference_too(tmp_path):
    found = figure(
        figures_of(simple_run(tmp_path / "a", 1), simple_run(tmp_path / "b", 2)), "floor dyadic_grid"
    )
    assert found.floor
    assert found.difference == pytest.approx(
        np.mean(list(values_of(102).values())) - np.mean(list(values_of(1).values()))
    )


def test_equal_runs_are_tied_in_every_video(tmp_path):
    found = figure(figures_of(simple_run(tmp_path / "a", 1), simple_run(tmp_path / "b", 1)), "b")
    assert (found.difference, found.difference_low, found.difference_high) == (0, 0, 0)
    assert (found.wins, found.losses, found.ties) == (0, 0, 8)
    assert not found.is_clear


def test_runs_may_have_different_best_levels(tmp_path):
    f1 = "boundary_f1@0.5s"
    good, bad = dict.fromkeys(VIDEOS, 0.8), dict.fromkeys(VIDEOS, 0.3)
    a = scored_run(tmp_path / "a", [*annotated(), *rows(good, f1, level=0), *rows(bad, f1, level=1)])
    b = scored_run(tmp_path / "b", [*annotated(), *rows(bad, f1, level=0), *rows(good, f1, level=1)])
    found = figures_of(a, b)
    best = figure(found, "b", f1, selection="best")
    assert (best.level, best.value, best.difference) == (1, pytest.approx(0.8), pytest.approx(0.0))
    level = figure(found, "b", f1, selection="level", level=0)
    assert (level.value, level.difference) == (pytest.approx(0.3), pytest.approx(-0.5))


def test_a_level_that_few_videos_have_is_undefined_in_the_others(tmp_path):
    f1 = "boundary_f1@0.5s"
    every, some = dict.fromkeys(VIDEOS, 0.5), dict.fromkeys(VIDEOS[:2], 0.9)
    a = scored_run(tmp_path / "a", [*annotated(), *rows(every, f1, level=0), *rows(some, f1, level=1)])
    b = scored_run(tmp_path / "b", [*annotated(), *rows(every, f1, level=0)])
    found = figures_of(a, b)
    assert figure(found, "a", f1, selection="best").level == 0
    upper = figure(found, "a", f1, selection="level", level=1)
    assert (upper.videos, upper.undefined) == (2, 6)
    assert np.isnan(figure(found, "b", f1, selection="level", level=1).value)


def test_a_metric_of_levels_alone_has_none_where_nothing_is_best(tmp_path):
    nothing = dict.fromkeys(VIDEOS, float("nan"))
    f1 = "boundary_f1@0.5s"
    folders = [scored_run(tmp_path / n, [*annotated(), *rows(nothing, f1, level=0)]) for n in "ab"]
    best = figure(figures_of(*folders), "a", f1, selection="best")
    assert best.level is None
    assert np.isnan(best.value)


def test_where_nothing_is_best_the_whole_hierarchy_does_not_stand_in(tmp_path):
    nothing = rows(dict.fromkeys(VIDEOS, float("nan")), "boundary_f1@0.5s", level=0)
    both = [*rows(values_of(1), "odd_one"), *rows(values_of(2), "odd_one", level=0)]
    folders = [scored_run(tmp_path / n, [*annotated(), *nothing, *both]) for n in "ab"]
    found = figures_of(*folders, metrics=["odd_one"])
    assert np.isnan(figure(found, "a", "odd_one", selection="best").value)
    assert figure(found, "a", "odd_one", selection="whole").value == pytest.approx(
        np.mean(list(values_of(1).values()))
    )


def test_of_a_distance_less_is_better_and_of_a_count_nothing_is(tmp_path):
    distance, count = "boundary_distance_s", "events"
    folders = []
    for name, value in (("a", 2.0), ("b", 1.0)):
        scores = [
            *rows(dict.fromkeys(VIDEOS, value), distance, level=0),
            *rows(dict.fromkeys(VIDEOS, value), count),
        ]
        folders.append(scored_run(tmp_path / name, [*annotated(), *scores]))
    found = figures_of(*folders, metrics=[distance, count])
    nearer = figure(found, "b", distance, selection="level")
    assert (nearer.difference, nearer.wins, nearer.losses, nearer.is_better) == (-1.0, 8, 0, True)
    fewer = figure(found, "b", count)
    assert (fewer.difference, fewer.wins) == (-1.0, None)


@pytest.mark.parametrize(("videos", "clear"), [(5, False), (6, True)])
def test_few_videos_make_nothing_clear(tmp_path, videos, clear):
    folders = [
        scored_run(
            tmp_path / name, [*annotated(VIDEOS[:videos]), *rows(dict.fromkeys(VIDEOS[:videos], value))]
        )
        for name, value in (("a", 0.2), ("b", 0.6))
    ]
    assert figure(figures_of(*folders), "b").is_clear is clear


def test_values_of_all_videos_together_have_no_interval(tmp_path):
    folders = []
    for name, value in (("a", 0.5), ("b", 0.6)):
        whole = [
            Score(None, "streamer", "scene", 0, "retrieval_map", value),
            Score(None, SHUFFLED, "scene", 0, "retrieval_map", 0.1),
        ]
        folders.append(scored_run(tmp_path / name, [*annotated(), *rows(values_of(1)), *whole]))
    found = figures_of(*folders)
    assert figure(found, "b", "retrieval_map", selection="corpus").value == 0.6
    assert figure(found, "b", "retrieval_map", selection="shuffled").value == 0.1
    assert np.isnan(figure(found, "b", "retrieval_map", selection="corpus").low)
    fewer = simple_run(tmp_path / "c", 3, VIDEOS[:4])
    assert not [f for f in figures_of(*folders, fewer) if f.selection in ("corpus", "shuffled")], (
        "a value over other videos than those that count says nothing about these"
    )


def test_metrics_that_are_asked_for_are_compared_alone_and_in_that_order(tmp_path):
    scores = [
        *annotated(),
        *rows(values_of(1)),
        *rows(values_of(2), "hlr_mof"),
        *rows(values_of(3), "odd_one"),
    ]
    folders = [scored_run(tmp_path / name, scores) for name in "ab"]
    usual = list(dict.fromkeys(f.metric for f in figures_of(*folders)))
    assert usual == ["hlr_iou", "hlr_mof"]
    assert set(usual) < set(HEADLINES)
    asked = list(dict.fromkeys(f.metric for f in figures_of(*folders, metrics=["odd_one", "hlr_iou"])))
    assert asked == ["odd_one", "hlr_iou"]
    with pytest.raises(
        ConfigError, match=r"--metrics odd_won: not among the scores \(did you mean odd_one\?\)"
    ):
        figures_of(*folders, metrics=["odd_won"])


def test_the_seed_determines_the_intervals(tmp_path):
    folders = [simple_run(tmp_path / name, seed) for seed, name in enumerate("ab")]
    first = figure(figures_of(*folders), "b")
    assert figure(figures_of(*folders), "b") == first
    other = figure(figures_of(*folders, seed=5), "b")
    assert other.low != first.low
    assert other.value == first.value
