"""`python -m benchmarks quality`: scores hierarchies against known events, beside what comes for free."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.quality import predicting, tables
from benchmarks.quality.detectors import DETECTORS
from benchmarks.quality.material import MACHINES, KnownVideo, read_material
from benchmarks.quality.predicting import BASELINES, Predicted
from benchmarks.quality.scoring import measure
from benchmarks.quality.watching import Watched, watch
from pipelines.evaluation.measures import rows
from pipelines.evaluation.scores import Score, scores_frame
from streamer.config import DemarcationConfig
from streamer.errors import StreamerError

SEED = 0
"""Of the random floor."""


def main(arguments: Sequence[str]) -> int:
    """Scores what is asked for; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        videos = read_material(options.material, options.videos)
        scores = [score for video in videos for score in _score(video, options)]
    except (StreamerError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    frame = scores_frame(scores)
    if options.scores is not None:
        frame.to_parquet(options.scores, index=False)
    text = _render(frame, videos, _seeds(options.runs))
    if options.markdown is not None:
        options.markdown.write_text(text)
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks quality", description=__doc__)
    parser.add_argument("material", type=Path, help="folder with truth.csv and its videos")
    parser.add_argument(
        "--runs", nargs="*", default=[], metavar="NAME=FOLDER", help="runs; a name may come again, per seed"
    )
    parser.add_argument("--videos", nargs="*", default=[], metavar="ID", help="only these (default all)")
    parser.add_argument("--detectors", nargs="*", default=list(DETECTORS), choices=list(DETECTORS))
    parser.add_argument("--baselines", nargs="*", default=list(BASELINES), choices=BASELINES)
    parser.add_argument("--lengths", nargs="*", type=float, help="seconds per event of baselines, by level")
    parser.add_argument("--deviations", type=float, default=2.0, help="of detectors (default %(default)s)")
    parser.add_argument("--window", type=int, default=50, help="of detectors (default %(default)s)")
    parser.add_argument("--least", type=int, default=4, help="of detectors: least snippets of an event")
    parser.add_argument("--kept", type=Path, help="folder for decoded frames (default MATERIAL/decoded)")
    parser.add_argument("--scores", type=Path, help="file for all scores (.parquet)")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    return parser


def _score(video: KnownVideo, options: argparse.Namespace) -> list[Score]:
    watched = watch(video, options.kept or options.material / "decoded")
    scores: list[Score] = []
    for name, predicted in _predicted(watched, options).items():
        for level, measures in measure(predicted, video, watched.duration_s).items():
            scores += rows(video.video_id, name, level, measures)
    return scores


def _predicted(watched: Watched, options: argparse.Namespace) -> dict[str, list[Predicted]]:
    video_id = watched.video.video_id
    predicted: dict[str, list[Predicted]] = {}
    for run in options.runs:
        name, _, folder = run.partition("=")
        predicted.setdefault(name, []).append(predicting.of_run(Path(folder), video_id))
    predicted |= predicting.floors(watched, SEED)
    rule = DemarcationConfig(
        "deviation", window_size=options.window, deviations=options.deviations, least_length=options.least
    )
    predicted |= {name: [predicting.detected(watched, name, rule)] for name in options.detectors}
    for name in options.baselines:
        predicted[name] = [predicting.baseline(watched, name, options.lengths)]
    return predicted


def _seeds(runs: Sequence[str]) -> dict[str, int]:
    names = [run.partition("=")[0] for run in runs]
    return {name: names.count(name) for name in names}


def _render(frame: pd.DataFrame, videos: Sequence[KnownVideo], seeds: dict[str, int]) -> str:
    """Tables of all videos, and of each family where there are several."""
    levels = list(dict.fromkeys(name for video in videos for name in video.truth))
    families = {video.family for video in videos}
    parts = []
    for family in ("shots", MACHINES) if len(families) > 1 else ():
        ids = [video.video_id for video in videos if video.family == family]
        parts.append(
            f"## {family}\n\n" + tables.render(frame.loc[frame["video_id"].isin(ids)], levels, seeds)
        )
    parts.append("## all videos\n\n" + tables.render(frame, levels, seeds))
    return "\n".join(parts)
