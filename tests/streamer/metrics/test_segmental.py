"""Edit and F1@k against recorded figures, and the rules that the figures do not show."""

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import StreamerError
from streamer.metrics import OVERLAPS, edit_score, segmental_f1

RECORDED = json.loads((Path(__file__).parent / "vectors" / "std_metric_vectors.json").read_text())
CASES = RECORDED["label_cases"]


def frames(text):
    return np.array(list(text))


def labels(case):
    return np.array(case["prediction"]).astype(str), np.array(case["ground_truth"]).astype(str)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded_edit_scores_are_reproduced(case):
    assert 100 * edit_score(*labels(case), background=()) == pytest.approx(case["mstcn_edit"], abs=1e-9)


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded_f1_are_reproduced(case, overlap):
    ratio = segmental_f1(*labels(case), overlap=overlap, background=())
    expected = case[f"mstcn_f1@{round(100 * overlap)}"]
    assert 100 * ratio.value == pytest.approx(expected["f1"], abs=1e-9)
    assert ratio.numerator == 2 * expected["tp"]
    assert ratio.denominator == 2 * expected["tp"] + expected["fp"] + expected["fn"]


def test_only_the_order_of_runs_matters_to_edit():
    assert edit_score(frames("aabbbbcc"), frames("abbccccc"), background=()) == 1
    assert edit_score(frames("ababab"), frames("aaabbb"), background=()) == pytest.approx(1 / 3)


def test_background_is_no_run():
    assert edit_score(frames("aa--bb"), frames("aaabbb"), background={"-"}) == 1
    assert edit_score(frames("aa--bb"), frames("aaabbb"), background=()) == pytest.approx(2 / 3)
    assert segmental_f1(frames("-a-b-"), frames("-a-b-"), overlap=0.5, background={"-"}).denominator == 4


def test_a_run_that_background_interrupts_is_two():
    assert edit_score(frames("aa-aa"), frames("aaaaa"), background={"-"}) == pytest.approx(1 / 2)


def test_overlap_is_inclusive():
    assert segmental_f1(frames("aabb"), frames("aaaa"), overlap=0.5, background={"b"}).numerator == 2
    assert segmental_f1(frames("abbb"), frames("aaaa"), overlap=0.5, background={"b"}).numerator == 0


def test_a_second_run_on_the_same_annotation_is_a_false_alarm():
    ratio = segmental_f1(frames("aa-aa"), frames("aaaaa"), overlap=0.1, background={"-"})
    assert (ratio.numerator, ratio.denominator) == (2, 3)


def test_where_neither_has_a_run_both_are_undefined():
    nothing = frames("---")
    assert math.isnan(edit_score(nothing, nothing, background={"-"}))
    assert math.isnan(segmental_f1(nothing, nothing, overlap=0.5, background={"-"}).value)
    assert math.isnan(edit_score(frames(""), frames(""), background=()))


@pytest.mark.parametrize(("predicted", "truth"), [("aa", "--"), ("--", "aa")])
def test_where_only_one_has_runs_both_are_zero(predicted, truth):
    assert edit_score(frames(predicted), frames(truth), background={"-"}) == 0
    assert segmental_f1(frames(predicted), frames(truth), overlap=0.5, background={"-"}).value == 0


def distance(one, other):
    """Levenshtein distance by its definition."""
    if not one or not other:
        return len(one) + len(other)
    substituted = distance(one[1:], other[1:]) + (one[0] != other[0])
    return min(substituted, distance(one[1:], other) + 1, distance(one, other[1:]) + 1)


words = st.text("abc", min_size=1, max_size=6).filter(lambda w: all(x != y for x, y in pairwise(w)))


@given(words, words)
def test_edit_is_the_levenshtein_distance_of_runs(one, other):
    length = len(one) * len(other)
    stretched = [np.repeat(frames(word), length // len(word)) for word in (one, other)]
    expected = 1 - distance(one, other) / max(len(one), len(other))
    assert edit_score(*stretched, background=()) == pytest.approx(expected)


sequences = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*[st.text("abc-", min_size=n, max_size=n).map(frames)] * 2)
)


@given(sequences)
def test_f1_falls_with_the_overlap_and_is_one_for_the_truth(pair):
    scores = [segmental_f1(*pair, overlap=overlap, background={"-"}) for overlap in OVERLAPS]
    assert scores[0].numerator >= scores[1].numerator >= scores[2].numerator
    truth = segmental_f1(pair[1], pair[1], overlap=1.0, background={"-"})
    assert truth.numerator == truth.denominator


@pytest.mark.parametrize("overlap", [0, -0.1, 1.5, math.nan])
def test_impossible_overlaps_are_refused(overlap):
    with pytest.raises(StreamerError, match="overlap"):
        segmental_f1(frames("a"), frames("a"), overlap=overlap, background=())
