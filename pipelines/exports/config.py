"""Configuration of the `export` command."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from streamer.config import require

FormatName = Literal["webvtt", "ffmetadata", "csv", "release", "elan", "otio"]


@dataclass
class ExportConfig:
    """Writes the hierarchies of a run as files of other tools, and cuts events out of their videos.

    Attributes:
        run: folder of the run.
        format: one or more of webvtt (chapters, a file per level), ffmetadata (chapters for ffmpeg, a file
            per level), csv (one table of all events, which reads back as annotations), release (JSON of the
            published release), elan (.eaf), otio (OpenTimelineIO).
        clips: level whose events to cut out of the videos, each as an MP4 file of its own.
        levels: levels to write, 0 the finest; by default all. The level of clips is chosen by clips.
        videos: ids of videos, or patterns with *, ? and [...]; by default all that have a hierarchy.
        out: folder in which every format gets a folder; by default `exports` in the run.
        truth: annotations: video_id,level,start_s,end_s,label as .csv or .parquet, or the files of a dataset
            (docs/datasets.md). Each event is then named by the label of the annotation that it overlaps for
            the longest time.
        closing: where the release's JSON ends: video = every level at the end of the video; release = every
            level at the last boundary of level 0, as the published release writes it.
    """

    run: str
    format: list[FormatName] = field(default_factory=list)
    clips: int | None = None
    levels: list[int] | None = None
    videos: list[str] | None = None
    out: str | None = None
    truth: str | None = None
    closing: Literal["video", "release"] = "video"

    def __post_init__(self) -> None:
        self.format = list(dict.fromkeys(self.format))
        require(
            len(self.format) > 0 or self.clips is not None,
            f"nothing to export: give --format ({', '.join(get_args(FormatName))}) or --clips LEVEL",
        )
        require(self.clips is None or self.clips >= 0, f"--clips must be a level from 0 up, not {self.clips}")
        if self.levels is not None:
            require(len(self.levels) > 0, "--levels is empty: name levels, or leave it away for all")
            require(min(self.levels) >= 0, f"--levels must be from 0 up, not {min(self.levels)}")
        for name in ("levels", "truth"):
            without_effect = getattr(self, name) is not None and not self.format
            require(not without_effect, f"--{name} has no effect on clips: give a --format, or leave it away")
        require(self.videos != [], "--videos is empty: name videos, or leave it away for all")
        require(self.out != "", "--out is empty: name a folder")
        require(
            self.closing == "video" or "release" in self.format,
            "--closing release has no effect without --format release: leave one away, or give both",
        )
