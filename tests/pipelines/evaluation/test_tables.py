"""What the terminal shows of a summary."""

import math

import numpy as np
from rich.console import Console

from pipelines.evaluation.predictors import FLOORS, in_order
from pipelines.evaluation.scores import Score, scores_frame
from pipelines.evaluation.scoring import Prediction, Protocol, score_video
from pipelines.evaluation.summary import summarise
from pipelines.evaluation.tables import render_tables
from streamer.metrics import random_nested
from tests.pipelines.evaluation.test_scoring import COARSE, FINE, TRUTH, score


def printed(scores, own="streamer"):
    console = Console(width=100)
    with console.capture() as capture:
        console.print(render_tables(summarise(scores_frame(scores)), own))
    return capture.get()


def assert_order(text, names):
    lines = text.splitlines()
    order = [next(i for i, line in enumerate(lines) if line.strip().startswith(name)) for name in names]
    assert order == sorted(order)


def test_tables_fit_and_put_the_run_first():
    scores = score(levels=random_nested(40.0, 1)) + score(
        "w", random_nested(40.0, 2), {"scene": [(0.0, 41.0, "s")]}
    )
    text = printed(scores)
    assert max(map(len, text.splitlines())) <= 100
    assert_order(text, in_order("streamer"))
    assert "F1@.5s" in text
    assert "level 2" in text
    assert "cut at the end of their video, past which they reach: 1" in text
    assert "Boundary scores: undefined in 1 video" in text


def test_baseline_stands_under_its_own_name():
    text = printed(score(predictor="clustering"), "clustering")
    assert_order(text, ("clustering", *FLOORS))
    assert "streamer" not in text


def test_a_run_that_is_a_floor_is_shown_once():
    text = printed(score(truth={"scene": TRUTH["scene"]}, predictor="dyadic_grid"), "dyadic_grid")
    assert sum(line.strip().startswith("dyadic_grid") for line in text.splitlines()) == 1
    assert_order(text, ("dyadic_grid", "fixed_period", "uniform", "random_nested"))


def test_long_name_of_a_predictor_leaves_room_for_figures():
    name = "a_predictor_with_a_very_long_name_indeed"
    text = printed(score(predictor=name, labelled=frozenset(TRUTH)), name)
    assert max(map(len, text.splitlines())) <= 100
    shown = [line for line in text.splitlines() if line.strip().startswith("a_predictor")]
    assert len(shown) == 2 * len(TRUTH)
    assert all("…" not in line.split(maxsplit=1)[1] for line in shown)
    assert all("…" not in line for line in text.splitlines() if "F1" in line)


def labelled_scores(representations):
    prediction = Prediction("v", [FINE, COARSE], 40.0, 25.0, representations)
    return score_video(prediction, TRUTH, Protocol(labelled=frozenset({"motion"})))


def test_labels_have_a_table_where_there_are_labels():
    text = printed(labelled_scores(None))
    assert "Labels of 'motion'" in text
    assert "Labels of 'scene'" not in text
    assert "clustered" not in text


def test_representations_have_a_table_where_they_can_be_judged():
    vectors = [np.eye(4, dtype=np.float32), np.eye(2, dtype=np.float32)]
    scores = labelled_scores(vectors)
    found = [Score(None, who, "motion", 0, "retrieval_map", 0.5) for who in ("streamer", "shuffled")]
    found += [Score(None, who, "motion", 1, "retrieval_map", math.nan) for who in ("streamer", "shuffled")]
    assert "  clustered" in printed(scores)
    assert "Representations" not in printed(scores + found[2:])
    text = printed(scores + found)
    table = text[text.index("Representations of streamer and labels of 'motion'") :].splitlines()
    assert [line.split()[0] for line in table[4:7] if line.strip()] == ["level", "shuffled"]


def test_names_of_levels_are_shown_as_they_are():
    assert "'a[bold]b'" in printed(score(truth={"a[bold]b": TRUTH["scene"]}))


def test_undefined_scores_are_told():
    assert "HLR IoU: undefined in 1 video" in printed(score(truth={"scene": [(50.0, 60.0, "s")]}))
