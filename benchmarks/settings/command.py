"""`python -m benchmarks settings`: scores the default recipe with settings changed one at a time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.quality.material import read_material
from benchmarks.quality.scoring import measure
from benchmarks.settings.running import predict
from benchmarks.settings.summary import summarise
from benchmarks.settings.variants import VARIANTS, variant_config
from pipelines.evaluation.measures import rows
from pipelines.evaluation.scores import Score, scores_frame
from streamer.errors import StreamerError


def main(arguments: Sequence[str]) -> int:
    """Scores what is asked for; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        videos = read_material(options.material, options.videos)
        scores: list[Score] = []
        for name in options.only or VARIANTS:
            print(name, file=sys.stderr, flush=True)
            for video, duration_s, predicted in predict(variant_config(VARIANTS[name]), videos, options.seed):
                for level, measures in measure([predicted], video, duration_s).items():
                    scores += rows(video.video_id, name, level, measures)
            if options.scores is not None:  # after each, since all take long
                scores_frame(scores).to_parquet(options.scores, index=False)
    except (StreamerError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    text = summarise(scores_frame(scores))
    if options.markdown is not None:
        options.markdown.write_text(text)
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks settings", description=__doc__)
    parser.add_argument("material", type=Path, help="folder with truth.csv and its videos")
    parser.add_argument("--videos", nargs="*", default=[], metavar="ID", help="only these (default all)")
    parser.add_argument(
        "--only", nargs="*", metavar="NAME", choices=list(VARIANTS), help=f"of {', '.join(VARIANTS)}"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the models (default %(default)s)")
    parser.add_argument("--scores", type=Path, help="file for all scores (.parquet)")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    return parser
