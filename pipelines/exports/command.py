"""The `export` command: hierarchies as files of other tools, events as clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipelines.annotations import Truth, read_truth
from pipelines.exports.config import ExportConfig
from pipelines.exports.media import Media, find_media, recorded_media
from pipelines.exports.naming import event_names
from pipelines.exports.outputs import ClipOutput, FileOutput, Output, TableOutput, file_formats
from pipelines.exports.selection import ExportError, check_levels, choose_videos
from pipelines.exports.text import one_line
from pipelines.exports.video import ExportedVideo
from pipelines.run_folder import RunFolder
from pipelines.wording import counted
from streamer.errors import StreamerError, VideoError
from streamer.hierarchy import Hierarchy
from streamer.metrics import LabelledSegment

DEFAULT_FOLDER = "exports"  # in the folder of the run
SHOWN = 8
SOME_FAILED = 1


@dataclass
class Remarks:
    """What was odd.

    Attributes:
        failed: videos that could not be exported in full, each with the reason.
        unopened: videos whose recording was not opened, so that a player's clock at their first frame is
            taken to show 0.
        without_level: videos that have none of the chosen levels.
    """

    failed: list[tuple[str, str]] = field(default_factory=list)
    unopened: list[str] = field(default_factory=list)
    without_level: list[str] = field(default_factory=list)


def export(config: ExportConfig, console: Console) -> int:
    """Writes what is asked for; the same command again writes what is missing or has changed.

    Returns:
        Exit code: 0, or 1 where a video could not be exported in full.

    Raises:
        StreamerError: the run, the annotations, a video, a level or the place to write is not there; nothing
            has been written then.
    """
    folder = RunFolder(config.run)
    run, rows = folder.read_run(), folder.read_videos()
    truth = None if config.truth is None else read_truth(config.truth)
    if truth is not None:
        truth = truth.of_some_of([row["video_id"] for row in rows])
    chosen = choose_videos(rows, config.videos, folder.root)
    check_levels(folder, chosen, [*(config.levels or ()), *([] if config.clips is None else [config.clips])])
    out = folder.root / DEFAULT_FOLDER if config.out is None else Path(config.out).absolute()
    exporter = _Exporter(config, folder, truth, str(run.get("started", "1970-01-01T00:00:00+00:00")))
    try:
        with ExitStack() as stack:
            outputs = {name: stack.enter_context(output) for name, output in _outputs(config, out).items()}
            exporter.export(chosen, outputs, console)
    except OSError as error:
        raise ExportError(
            f"{out}: cannot be written: {error.strerror or error}: choose another --out, or give the same "
            "command again once it can"
        ) from error
    _tell(outputs, exporter.remarks, () if truth is None else truth.notes, console)
    return SOME_FAILED if exporter.remarks.failed else 0


def _outputs(config: ExportConfig, out: Path) -> dict[str, Output]:
    """What is written, by the name of its folder."""
    formats = file_formats(config)
    outputs: dict[str, Output] = {
        name: TableOutput(out / name) if name == "csv" else FileOutput(out / name, formats[name])
        for name in config.format
    }
    if config.clips is not None:
        outputs["clips"] = ClipOutput(out / "clips", config.clips)
    return outputs


class _Exporter:
    """Takes videos through all outputs.

    Args:
        config: what is asked for.
        folder: the run.
        truth: annotations that name events.
        made: when the run began.

    Attributes:
        remarks: what was odd.
    """

    def __init__(self, config: ExportConfig, folder: RunFolder, truth: Truth | None, made: str) -> None:
        self.remarks = Remarks()
        self._config = config
        self._folder = folder
        self._truth = truth
        self._made = made
        formats = file_formats(config)
        self._opens = any(name in formats and formats[name].on_player_clock for name in config.format)

    def export(
        self, chosen: Sequence[Mapping[str, Any]], outputs: Mapping[str, Output], console: Console
    ) -> None:
        """Exports videos, and shows how far it has come."""
        with Progress(
            TextColumn("exporting"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),  # names from outside
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as progress:
            task = progress.add_task("", total=len(chosen))
            for place, row in enumerate(chosen):
                progress.update(task, completed=place, description=one_line(row["video_id"]))
                try:
                    video = self._video(row)
                except StreamerError as error:
                    self.remarks.failed.append((row["video_id"], str(error)))
                    continue
                for output in outputs.values():
                    self._add(
                        output,
                        video,
                        lambda share, place=place: progress.update(task, completed=place + share),
                    )

    def _add(self, output: Output, video: ExportedVideo, tell: Callable[[float], None]) -> None:
        video_id = video.hierarchy.video_id
        try:
            output.add(video, tell)
        except VideoError as error:
            self.remarks.failed.append((video_id, error.detail))
        except ExportError as error:
            self.remarks.failed.append((video_id, str(error)))

    def _video(self, row: Mapping[str, Any]) -> ExportedVideo:
        """Reads a hierarchy and names its events.

        Raises:
            HierarchyError: its file is damaged.
        """
        video_id = row["video_id"]
        hierarchy = Hierarchy.from_parquet(self._folder.hierarchy_of(video_id))
        wanted = self._config.levels
        levels = tuple(level for level in range(hierarchy.num_levels) if wanted is None or level in wanted)
        if not levels:
            self.remarks.without_level.append(video_id)
        names = event_names(hierarchy, levels, _annotations(self._truth, video_id))
        return ExportedVideo(hierarchy, self._media(row), levels, names, self._made)

    def _media(self, row: Mapping[str, Any]) -> Media:
        if not self._opens:
            return recorded_media(row)
        media, is_known = find_media(row)
        if not is_known:
            self.remarks.unopened.append(row["video_id"])
        return media


def _annotations(truth: Truth | None, video_id: str) -> dict[str, list[LabelledSegment]]:
    """What is annotated of a video, without what says that nothing is."""
    if truth is None:
        return {}
    return {
        level: [segment for segment in events if segment[2] not in truth.background]
        for level, events in truth.videos.get(video_id, {}).items()
    }


def _tell(outputs: Mapping[str, Output], remarks: Remarks, notes: Sequence[str], console: Console) -> None:
    """Prints what was written, and what was odd."""

    def say(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    for note in notes:
        say(f"annotations: {one_line(note)}")
    for name, output in outputs.items():
        say(f"{name:11s} {output.describe()}")
        damaged = output.damaged_sound if isinstance(output, ClipOutput) else []
        if damaged:
            say(f"sound is damaged and silent in places: {_some(damaged)}")
    if remarks.without_level:
        lacking = counted(len(remarks.without_level), "video")
        say(f"{lacking} without the chosen levels: {_some(remarks.without_level)}")
    if remarks.unopened:
        closed = counted(len(remarks.unopened), "recording")
        say(
            f"{closed} not opened (gone, damaged or remote), times count from the first frame: "
            f"{_some(remarks.unopened)}"
        )
    for video_id, reason in remarks.failed[:SHOWN]:
        say(f"failed  {one_line(video_id)}: {one_line(reason)}")
    if len(remarks.failed) > SHOWN:
        say(f"and {len(remarks.failed) - SHOWN} more failed")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(one_line(name) for name in names[:SHOWN]) + more
