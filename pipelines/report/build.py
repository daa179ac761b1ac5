"""Puts a report together, step by step, from what the runs' files hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import Progress

from pipelines.annotations import Truth
from pipelines.report import library_data, video_data
from pipelines.report.colours import Palette
from pipelines.report.events import VideoEvents, read_events
from pipelines.report.film import Film, FilmJob
from pipelines.report.folder import ReportFolder
from pipelines.report.payload import write_script
from pipelines.report.runs import Run
from pipelines.report.scores import ScoreTable, read_scores
from pipelines.report.similarity import Pool
from pipelines.report.thumbnails import Outcome, make_films
from pipelines.report.video_data import Space
from streamer.atomic import file_name
from streamer.errors import HierarchyError

NAMED_AT_MOST = 3
LONGEST_NAME = 80
SEED = 0  # of the samples among which neighbours are sought


class Build:
    """One report in the making.

    Args:
        runs: one or two.
        truth: annotations; None without.
        folder: where the pages go.
        console: shows progress.
        notes: what is worth telling so far.

    Attributes:
        notes: what is worth telling, one line each.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        truth: Truth | None,
        folder: ReportFolder,
        console: Console,
        notes: list[str],
    ) -> None:
        self.notes = notes
        self._runs = runs
        self._truth = truth
        self._folder = folder
        self._console = console
        self._video_ids = sorted({video_id for run in runs for video_id in run.rows})
        self._unreadable: set[tuple[int, str]] = set()
        self._durations: dict[str, float] = {}

    def write(self) -> int:
        """Writes everything; the library, which leads to all else, comes last.

        Returns:
            How many videos have a page of their own.
        """
        spaces = [self._read_spaces(place) for place in range(len(self._runs))]
        films = self._make_films()
        rows = self._write_videos(spaces, films)
        write_script(self._folder.library, "library", self._library(rows, spaces))
        self._folder.write_pages()
        self._folder.remove_others(self._durations, len(self._runs))
        return len(self._durations)

    @contextmanager
    def _progress(self, label: str, total: int) -> Iterator[Any]:
        """Shows how far one step has come; gives what is called after each video."""
        with Progress(
            console=self._console, transient=True, disable=not self._console.is_terminal
        ) as progress:
            task = progress.add_task(label, total=total)
            yield lambda: progress.advance(task)

    def _events(self, place: int, video_id: str) -> VideoEvents | None:
        """The events of a video in a run; None where it has none."""
        run = self._runs[place]
        row = run.rows.get(video_id)
        if row is None or row["status"] != "done" or (place, video_id) in self._unreadable:
            return None
        try:
            return read_events(run.folder, video_id)
        except HierarchyError as error:
            self._unreadable.add((place, video_id))
            self.notes.append(str(error))
            return None

    def _read_spaces(self, place: int) -> list[Space]:
        """Learns from all events of a run what its levels need to compare and colour them."""
        pools: list[Pool] = []
        with self._progress(f"reading {self._runs[place].name}", len(self._video_ids)) as advance:
            for number, video_id in enumerate(self._video_ids):
                events = self._events(place, video_id)
                for index, level in enumerate(events.levels if events else ()):
                    if index == len(pools):
                        pools.append(Pool(SEED))
                    pools[index].add(number, level)
                if events is not None:
                    self._durations[video_id] = max(events.duration_s, self._durations.get(video_id, 0.0))
                advance()
        found = [pool.candidates() for pool in pools]
        return [Space(candidates, Palette(candidates.units)) for candidates in found]

    def _row(self, video_id: str) -> Any:
        """The row of a video in the first run that has events of it, or else in the first that has it."""
        rows = [run.rows[video_id] for run in self._runs if video_id in run.rows]
        return next((row for row in rows if row["status"] == "done"), rows[0])

    def _make_films(self) -> dict[str, Film]:
        jobs = {}
        for video_id in self._durations:
            row = self._row(video_id)
            if row["kind"] == "video" and row["width"] and row["height"]:
                jobs[video_id] = FilmJob(
                    uri=row["uri"],
                    start_s=row["start_s"] or 0.0,
                    duration_s=self._durations[video_id],
                    width=row["width"],
                    height=row["height"],
                    fps=row["fps"],
                    sheet=str(self._folder.sheet(video_id)),
                )
        with self._progress("thumbnails", len(jobs)) as advance:
            outcomes = make_films(jobs, finished=advance)
        self.notes += _told(outcomes)
        return {video_id: film for video_id, film in outcomes.items() if isinstance(film, Film)}

    def _write_videos(
        self, spaces: Sequence[Sequence[Space]], films: dict[str, Film]
    ) -> list[dict[str, Any]]:
        """Writes the data of every video's page; returns its row of the library."""
        rows = []
        with self._progress("writing pages", len(self._video_ids)) as advance:
            for number, video_id in enumerate(self._video_ids):
                rows.append(self._write_video(number, video_id, spaces, films))
                advance()
        return rows

    def _write_video(
        self, number: int, video_id: str, spaces: Sequence[Sequence[Space]], films: dict[str, Film]
    ) -> dict[str, Any]:
        row, found = self._row(video_id), [self._events(place, video_id) for place in range(len(self._runs))]
        duration_s = self._durations.get(video_id)
        record: dict[str, Any] = {
            "id": video_id,
            "duration": row["duration_s"] if duration_s is None else duration_s,
            "runs": [
                library_data.video_row(run.rows.get(video_id), events)
                for run, events in zip(self._runs, found, strict=True)
            ],
        }
        if duration_s is None:
            return record
        film = films.get(video_id)
        truth = [] if self._truth is None else video_data.truth_data(self._truth, video_id, duration_s)
        shown: list[dict[str, Any] | None] = []
        for place, events in enumerate(found):
            if events is None:
                shown.append(None)
                continue
            own = spaces[place]
            data = video_data.run_data(self._runs[place], video_id, events, own)
            shown.append(data)
            nearest = video_data.neighbour_data(events.levels, number, own, self._video_ids, films)
            path = self._folder.neighbours_of(place, video_id)
            write_script(path, f"neighbours/{path.stem}", nearest)
            if "band" not in record:
                colours = [level["colours"] for level in data["levels"]]
                record["band"] = library_data.band(events, colours)
        name = file_name(video_id)
        facts = video_data.video_facts(row, duration_s, film)
        value = {"id": video_id, **facts, "truth": truth, "runs": shown}
        write_script(self._folder.video(video_id), f"videos/{name}", value)
        return {**record, "file": name, "strip": film is not None, "annotated": len(truth)}

    def _library(self, rows: list[dict[str, Any]], spaces: Sequence[Sequence[Space]]) -> dict[str, Any]:
        frames: list[pd.DataFrame | None] = []
        for run in self._runs:
            scores = read_scores(run)
            if isinstance(scores, str):
                self.notes.append(scores)
            frames.append(None if isinstance(scores, str) else scores)
        table = ScoreTable(self._runs, frames)
        for row in rows:
            row["scores"] = table.of_video(row["id"])
        sampled = [
            [[space.candidates.total, len(space.candidates.videos)] for space in own] for own in spaces
        ]
        return {
            "made": library_data.now(),
            "runs": [library_data.run_facts(run) for run in self._runs],
            "truth": None if self._truth is None else str(self._truth.path),
            "metrics": table.metrics,
            "best_levels": table.best_levels,
            "summary": table.summary(),
            "candidates": sampled,
            "notes": self.notes,
            "videos": rows,
        }


def _told(outcomes: Mapping[str, Outcome]) -> list[str]:
    """One line per reason for which videos have no thumbnails."""
    reasons: dict[str, list[str]] = {}
    for video_id, reason in outcomes.items():
        if isinstance(reason, str):
            reasons.setdefault(reason, []).append(video_id)
    lines = []
    for reason, video_ids in reasons.items():
        more = len(video_ids) - NAMED_AT_MOST
        shown = [video_id[:LONGEST_NAME] for video_id in video_ids[:NAMED_AT_MOST]]
        named = ", ".join(shown) + (f" and {more} more" if more > 0 else "")
        lines.append(f"{named}: no thumbnails: {reason}")
    return lines
