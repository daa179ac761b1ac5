"""The end of a run: which video ended how, the scores, and what the terminal says."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

from rich.console import Console

from pipelines.annotations import Truth
from pipelines.catalog import CatalogEntry
from pipelines.evaluation.run import evaluate_run, show, track_evaluation
from pipelines.evaluation.scores import write_scores
from pipelines.interruption import INTERRUPTED, STOPPED
from pipelines.run_figures import FIGURED_VIDEOS, draw_figures
from pipelines.run_folder import RunFolder, RunState, VideoRow, end_row, unread_row
from pipelines.snippets import VideoEnd
from pipelines.store import REASON
from pipelines.tracking import Tracker
from pipelines.wording import counted
from streamer.errors import TruthError
from streamer.hierarchy import Hierarchy

SHOWN = 8


def video_rows(
    entries: Sequence[CatalogEntry], ended: Iterable[VideoEnd], folder: RunFolder
) -> list[VideoRow]:
    """One row per input.

    A video whose end was not reported (the run was interrupted) but whose hierarchy lies in the folder is
    done all the same; without one it was not reached.
    """
    ends = {end.video_id: end for end in ended}
    rows = []
    for entry in entries:
        if entry.video_id in ends:
            rows.append(end_row(entry, ends[entry.video_id]))
        elif entry.status == "ready" and folder.hierarchy_of(entry.video_id).exists():
            known = Hierarchy.from_parquet(folder.hierarchy_of(entry.video_id))
            rows.append(VideoRow(entry, "done", known.metadata.get(REASON), known.duration_s, known.snippets))
        else:
            rows.append(unread_row(entry, "the run ended before this video did"))
    return rows


@contextmanager
def failing(
    folder: RunFolder, facts: Mapping[str, Any], rows: Callable[[], list[VideoRow]], tracker: Tracker
) -> Iterator[None]:
    """Where the block raises, leaves the run marked as failed, with a row for every input."""
    try:
        yield
    except BaseException:
        folder.write_videos(rows())
        folder.write_run("failed", facts)
        tracker.close("FAILED")
        raise


def conclude(
    state: RunState,
    *,
    folder: RunFolder,
    facts: Mapping[str, Any],
    rows: Sequence[VideoRow],
    truth: Truth | None,
    seed: int,
    max_failed: int,
    tracker: Tracker,
    console: Console,
) -> int:
    """Writes `videos.parquet`, scores against the truth, writes `run.json`, tells the user.

    A run that is killed while it is scored has not finished: the same command does it again.

    Returns:
        Exit code: 0, 1 where more videos failed than `max_failed`, 130 where the run was interrupted, 143
        where it was stopped.
    """
    folder.write_videos(rows)
    counts = {status: sum(row.status == status for row in rows) for status in ("done", "failed", "skipped")}
    ended = datetime.now(timezone.utc).isoformat(timespec="seconds")
    whole = {**facts, "ended": ended, "videos": counts}
    if state in ("interrupted", "stopped"):
        folder.write_run(state, whole)
        tracker.close("KILLED")
        tracker.log_artifact(folder.videos)
        _tell_rows(rows, counts, console)
        console.print(
            f"{state}; {counted(counts['done'], 'finished video')} in {folder.hierarchy}; "
            "the same command goes on",
            soft_wrap=True,
            markup=False,
        )
        return INTERRUPTED if state == "interrupted" else STOPPED
    tracker.log_artifact(folder.videos)
    _tell_rows(rows, counts, console)
    if truth is not None:
        _score(folder, truth, seed, tracker, console)
    else:
        done = [row.entry.video_id for row in rows if row.status == "done"]
        for path in draw_figures(folder, done[:FIGURED_VIDEOS], None):
            tracker.log_artifact(path, "figures")
    folder.write_run(state, whole)
    tracker.close()
    _tell_places(folder, tracker, console)
    if counts["failed"] > max_failed:
        console.print(
            f"{counted(counts['failed'], 'video')} failed; --max-failed allows {max_failed}",
            style="red",
            highlight=False,
        )
        return 1
    folder.success.touch()
    return 0


def _score(folder: RunFolder, truth: Truth, seed: int, tracker: Tracker, console: Console) -> None:
    try:
        scores = evaluate_run(folder, truth, seed, console)
    except TruthError as error:  # all annotated videos failed: the run itself is none the worse
        console.print(f"not scored: {error}", style="yellow", soft_wrap=True, highlight=False, markup=False)
        return
    write_scores(scores.scores, folder, truth.path)
    show(scores, console)
    track_evaluation(scores, folder, tracker)


def _tell_rows(rows: Sequence[VideoRow], counts: Mapping[str, int], console: Console) -> None:
    console.print("  ".join(f"{count} {status}" for status, count in counts.items()), highlight=False)
    odd = [row for row in rows if row.reason is not None]
    for row in odd[:SHOWN]:
        console.print(
            f"  {row.status}: {row.entry.video_id}: {row.reason}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
    if len(odd) > SHOWN:
        console.print(f"  and {len(odd) - SHOWN} more with a reason in videos.parquet", highlight=False)


def _tell_places(folder: RunFolder, tracker: Tracker, console: Console) -> None:
    lines = {
        "hierarchies": folder.hierarchy,
        "videos": folder.videos,
        "scores": folder.evaluation if folder.evaluation.exists() else None,
        "figures": folder.figures,
        "MLflow": tracker.directions,
        "look": f"streamer report {shlex.quote(str(folder.root))}",
    }
    for name, place in lines.items():
        if place is not None:
            console.print(f"{name:12s} {place}", highlight=False, soft_wrap=True, markup=False)
