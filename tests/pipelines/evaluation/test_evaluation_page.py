"""docs/evaluation.md names every metric that the commands store, and the constants that they use."""

import re
from pathlib import Path

import numpy as np

from pipelines.evaluation.boundaries import HEADLINE_THRESHOLD
from pipelines.evaluation.labels import FRAME_S
from pipelines.evaluation.predictors import FIXED_PERIOD, RANDOM_DRAWS
from pipelines.evaluation.representations import LabelledEvents
from pipelines.evaluation.retrieval import MOST_EVENTS, NEIGHBOURS, score_representations
from pipelines.evaluation.scoring import Prediction, Protocol, score_video

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "evaluation.md").read_text()
LEVELS = [[(0.0, 5.0), (5.0, 10.0)], [(0.0, 10.0)]]
TRUTH = {"step": [(0.0, 5.0, "cut"), (5.0, 10.0, "fry")]}


def stored_metrics() -> set[str]:
    vectors = [np.eye(2, dtype=np.float32), np.ones((1, 2), np.float32)]
    prediction = Prediction("v", LEVELS, 10.0, 25.0, vectors)
    scores = score_video(prediction, TRUTH, Protocol(labelled=frozenset({"step"})))
    events = [LabelledEvents(video, "step", 0, vectors[0], ["cut", "fry"]) for video in "vw"]
    return {score.metric for score in [*scores, *score_representations(events, "streamer", 0)]}


def test_every_stored_metric_has_its_name_there():
    named = {re.sub(r"@.*", "", name) for name in re.findall(r"`([a-z]\w+(?:@[\w.]+)?)`", PAGE)}
    # Of lengths, and of precision and recall beside an F1, the page names one.
    named |= {f"event_length_{part}_s" for part in ("median", "shortest", "longest")}
    named |= {
        name.replace("f1", part)
        for name in named
        for part in ("precision", "recall")
        if re.fullmatch(r"boundary_f1|symmetric_f1|t_full_f1|t_reduced_f1|l_f1", name)
    }
    assert {re.sub(r"@.*", "", metric).removeprefix("clustered_") for metric in stored_metrics()} <= named


def test_constants_are_those_of_the_commands():
    said = " ".join(PAGE.split())
    for words in (
        f"Frames are {FRAME_S} s long",
        f"`gebd_f1@{HEADLINE_THRESHOLD}`",
        f"a fixed period of {FIXED_PERIOD:g} s",
        f"the {NEIGHBOURS} nearest events",
        f"more than {MOST_EVENTS} such events",
    ):
        assert words.lower() in said.lower(), words
    assert RANDOM_DRAWS == 5
    assert "the mean of five draws" in said
