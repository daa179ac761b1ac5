"""Videos whose events are known: a folder of hard streams, or of any videos with `truth.csv`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.annotations.reading import read_truth
from pipelines.tables import table_rows
from streamer.errors import TruthError
from streamer.metrics import LabelledSegment, interior_boundaries
from streamer.video import probe

MACHINES = "machines"
"""In the name of a video of machines."""

ALL_KINDS = "all"


@dataclass(frozen=True)
class Boundary:
    """A boundary of the finest level.

    Attributes:
        time_s: when it is.
        level: the coarsest level that it is one of.
        kind: how it looks, as `kinds.csv` says; `ALL_KINDS` where there is no such file.
    """

    time_s: float
    level: str
    kind: str


@dataclass(frozen=True)
class KnownVideo:
    """A video whose events are known.

    Attributes:
        video_id: its id.
        path: its file.
        duration_s: as its container tells.
        fps: frames a second.
        truth: per level its events; levels from fine to coarse.
        boundaries: of the finest level, in order.
    """

    video_id: str
    path: Path
    duration_s: float
    fps: float
    truth: Mapping[str, Sequence[LabelledSegment]]
    boundaries: Sequence[Boundary]

    @property
    def family(self) -> str:
        """`machines` for videos of machines, `shots` for all others."""
        return MACHINES if MACHINES in self.video_id else "shots"

    def times(self, kinds: Sequence[str] | None = None) -> list[float]:
        """Boundaries of some kinds, or of all, in seconds."""
        return [b.time_s for b in self.boundaries if kinds is None or b.kind in kinds]


def read_material(folder: Path, only: Sequence[str] = ()) -> list[KnownVideo]:
    """Reads what is known of the videos of a folder.

    Args:
        folder: has `truth.csv`, videos beside it or in `videos/`, and for hard streams `kinds.csv`.
        only: ids of the videos that are wanted; all if empty.

    Raises:
        TruthError: the annotations cannot be read, or a video that they are of is not there.
    """
    truth = read_truth(folder / "truth.csv")
    kinds = _read_kinds(folder / "kinds.csv")
    wanted = only or list(truth.videos)
    if unknown := [name for name in wanted if name not in truth.videos]:
        raise TruthError(f"{truth.path}: knows no video {', '.join(unknown)}: name some of those that it has")
    return [_video(folder, name, truth.videos[name], kinds.get(name)) for name in wanted]


def _video(
    folder: Path,
    video_id: str,
    levels: Mapping[str, Sequence[LabelledSegment]],
    kinds: Sequence[Boundary] | None,
) -> KnownVideo:
    paths = [*folder.glob(f"videos/{video_id}.*"), *folder.glob(f"{video_id}.*")]
    if not paths:
        raise TruthError(f"{folder}: has no video {video_id}, of which truth.csv tells: render or remove it")
    info = probe(str(paths[0]))
    ordered = dict(sorted(levels.items(), key=lambda item: -len(item[1])))
    duration = info.duration_s or max(end for events in levels.values() for _, end, _ in events)
    boundaries = kinds if kinds is not None else _unseen(ordered, duration)
    return KnownVideo(video_id, paths[0], duration, info.fps or 30.0, ordered, boundaries)


def _unseen(levels: Mapping[str, Sequence[LabelledSegment]], duration: float) -> list[Boundary]:
    """The boundaries of the finest level, where nothing tells how they look."""
    finest = next(iter(levels))
    return [
        Boundary(time, finest, ALL_KINDS) for time in interior_boundaries(levels[finest], duration).tolist()
    ]


def _read_kinds(path: Path) -> dict[str, list[Boundary]]:
    kinds: dict[str, list[Boundary]] = {}
    if path.exists():
        for _, row in table_rows(path, required=("video_id", "time_s", "level", "kind"), error=TruthError):
            boundary = Boundary(float(row["time_s"]), row["level"], row["kind"])
            kinds.setdefault(row["video_id"], []).append(boundary)
    return kinds
