"""What is known of a rendered video: its events at three levels, and how each boundary looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.hard_streams.parts import FPS

LEVELS = ("motion", "activity", "scene")
"""Finest first; every boundary of a level is one of the finer levels too."""


@dataclass(frozen=True)
class Piece:
    """An event of the finest level.

    Attributes:
        start: number of its first frame.
        stop: number of the first frame after it.
        labels: of the motion, the activity and the scene.
        opens: the coarsest level of which an event begins with it, as an index into `LEVELS`.
        kind: what its beginning looks like: `start` (of the video), `cut`, `fade`, `change` (something else
            moves, or moves otherwise) or `pattern` (a machine goes over to another pattern).
        fade: frames of the cross-fade around its beginning; 0 for none.
    """

    start: int
    stop: int
    labels: tuple[str, str, str]
    opens: int
    kind: str
    fade: int = 0


def truth_rows(video_id: str, pieces: Sequence[Piece]) -> list[tuple[str, str, float, float, str]]:
    """Rows of `truth.csv`: video_id, level, start_s, end_s, label."""
    rows = []
    for level, name in enumerate(LEVELS):
        firsts = [place for place, piece in enumerate(pieces) if place == 0 or piece.opens >= level]
        for place, after in zip(firsts, [*firsts[1:], len(pieces)], strict=True):
            first, last = pieces[place], pieces[after - 1]
            rows.append((video_id, name, first.start / FPS, last.stop / FPS, first.labels[level]))
    return rows


def kind_rows(video_id: str, pieces: Sequence[Piece]) -> list[tuple[str, float, str, str, float]]:
    """Rows of `kinds.csv`: video_id, time_s of a boundary, coarsest level, kind, seconds of its fade."""
    return [
        (video_id, piece.start / FPS, LEVELS[piece.opens], piece.kind, piece.fade / FPS)
        for piece in pieces[1:]
    ]
