"""Folders of runs that no run has made."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.catalog import CatalogEntry
from pipelines.run_folder import RunFolder, VideoRow
from pipelines.store import HierarchyStore
from streamer.hierarchy import Event, Hierarchy
from streamer.signals import Signal
from tests.levels import close_levels

THREE_LEVELS = ((0.0, 2.0, 5.0, 6.0, 9.0, 12.0), (0.0, 2.0, 6.0, 12.0), (0.0, 6.0))
DURATION_S = 20.0


def make_hierarchy(
    video_id: str, starts: Sequence[Sequence[float]] = THREE_LEVELS, duration_s: float = DURATION_S
) -> Hierarchy:
    """A hierarchy whose events start at these seconds."""
    levels = [[Event(*segment) for segment in level] for level in close_levels(starts, duration_s)]
    return Hierarchy(video_id, duration_s, 0.5, levels, round(duration_s / 0.5), dim=8)


def entry(video_id: str, **changes) -> CatalogEntry:
    """An input that can be read."""
    settings = {"uri": f"/data/{video_id}.mp4", "kind": "video", "duration_s": DURATION_S, "fps": 25.0}
    return CatalogEntry(video_id, **{**settings, **changes})


def make_run(root: Path, done: Sequence[str] = ("a", "b"), failed: Sequence[str] = ()) -> RunFolder:
    """A run with hierarchies of the `done` videos, and signals of the first of them."""
    folder = RunFolder(root)
    folder.create()
    folder.write_run("finished", {"config": {"model": {"distance": "similarity"}}})
    rows = [VideoRow(entry(name), "done", None, DURATION_S, 40) for name in done]
    rows += [VideoRow(entry(name), "failed", "broken", 0.0, 0) for name in failed]
    folder.write_videos(rows)
    for place, name in enumerate(done):
        store = HierarchyStore(folder, {}, signals=place == 0)
        store.write(make_hierarchy(name), [Signal(4, 0, 0.5, True), Signal(6, 0, 0.75, False)])
    return folder


def write_truth(path: Path, *rows: str) -> Path:
    """Annotations, one row per event."""
    path.write_text("\n".join(["video_id,level,start_s,end_s,label", *rows]) + "\n")
    return path


def files_below(root: Path) -> dict[str, bytes]:
    """Every file below a folder, to see whether anything was written."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
