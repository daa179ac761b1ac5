"""The `report` command: reads one run or two, and writes pages in which they are looked at."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from pipelines.annotations import Truth, read_truth
from pipelines.report.build import Build
from pipelines.report.config import ReportConfig
from pipelines.report.folder import ReportFolder
from pipelines.report.runs import Run, read_runs, truth_of
from pipelines.wording import counted
from streamer.errors import TruthError

NOTES_SHOWN = 5


def report(config: ReportConfig, console: Console) -> int:
    """Writes the pages.

    Raises:
        StreamerError: a run, the annotations that were named, or the folder cannot be used.
    """
    runs = read_runs(config.runs)
    notes: list[str] = []
    truth = _read_truth(config.truth, runs, notes)
    folder = ReportFolder(Path(config.out) if config.out else runs[0].folder.root / "report")
    folder.open()
    build = Build(runs, truth, folder, console, notes)
    videos = build.write()
    for note in build.notes[:NOTES_SHOWN]:
        console.print(note, highlight=False, soft_wrap=True, markup=False)
    if len(build.notes) > NOTES_SHOWN:
        console.print(f"and {len(build.notes) - NOTES_SHOWN} more notes, all on the page", highlight=False)
    console.print(f"{counted(videos, 'video')} to look at", highlight=False)
    console.print(f"report  {folder.index}", highlight=False, soft_wrap=True, markup=False)
    return 0


def _read_truth(named: str | None, runs: list[Run], notes: list[str]) -> Truth | None:
    """Annotations that were asked for, or else those of a run, without which the pages are still of use."""
    known = {video_id for run in runs for video_id in run.rows}
    if named is not None:
        truth = read_truth(named).of_some_of(known)
        notes.extend(truth.notes)
        return truth
    for run in runs:
        path = truth_of(run)
        if path is None:
            continue
        try:
            truth = read_truth(path).of_some_of(known)
            notes.extend(truth.notes)
            return truth
        except TruthError as error:
            notes.append(f"no annotations are shown: {error}")
    return None
