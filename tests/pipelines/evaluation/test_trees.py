"""Whole hierarchies against all annotated levels of a video together."""

import math

import pytest

from pipelines.evaluation.trees import measure_trees

COARSE = [(0.0, 20.0), (20.0, 40.0)]
FINE = [(0.0, 10.0), (10.0, 20.0), (20.0, 30.0), (30.0, 40.0)]
PARTS = ("precision", "recall", "f1")


def named(level, labels):
    return [(*event, label) for event, label in zip(level, labels, strict=True)]


def measured(levels, truth_levels, labelled=True):
    measures = measure_trees(levels, truth_levels, duration=40.0, labelled=labelled)
    assert {level for level, _ in measures} == {None}
    return {name: measure.value for (_, name), measure in measures.items()}


def test_the_annotated_tree_scores_one_in_any_order_of_its_levels():
    fine, coarse = named(FINE, "abcd"), named(COARSE, "xy")
    for truth in ([fine, coarse], [coarse, fine]):
        values = measured([FINE, COARSE], truth)
        assert values == {f"{name}_{part}": 1 for name in ("t_full", "t_reduced", "l") for part in PARTS}


def test_one_event_scores_nothing():
    assert set(measured([[(0.0, 40.0)]], [named(COARSE, "xy")]).values()) == {0}


def test_without_labels_there_is_no_l_measure():
    assert not [name for name in measured([FINE], [named(COARSE, "xy")], labelled=False) if name[0] == "l"]


def test_events_without_label_are_like_nothing_else():
    alone = measured([FINE], [named(FINE, ["a", "", "b", ""])])
    assert alone["l_recall"] == pytest.approx(measured([FINE], [named(FINE, "abcd")])["l_recall"])
    assert alone["l_recall"] > measured([FINE], [named(FINE, "azbz")])["l_recall"]


def test_no_event_leaves_all_undefined():
    assert all(math.isnan(value) for value in measured([FINE], [[], []]).values())
