"""What becomes of a video in each format: files that are written where they differ from what is there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

from pipelines.exports.clip_names import clip_names, is_current, stale_clips
from pipelines.exports.config import ExportConfig
from pipelines.exports.cutting import Clip, cut_clips
from pipelines.exports.elan import elan
from pipelines.exports.events_csv import EventsCsv
from pipelines.exports.ffmetadata import ffmetadata
from pipelines.exports.naming import place_name
from pipelines.exports.opentimeline import opentimeline
from pipelines.exports.release import release_json
from pipelines.exports.selection import ExportError
from pipelines.exports.video import ExportedVideo
from pipelines.exports.webvtt import webvtt
from pipelines.wording import counted
from streamer.atomic import atomic_write, file_name

Encode = Callable[[ExportedVideo, Path], bytes]


@dataclass(frozen=True)
class Format:
    """A format with one file per video, or per level of a video.

    Attributes:
        suffix: of its files.
        encode: makes a file's content from a video and the folder where the file will lie.
        per_level: whether a file holds one level.
        on_player_clock: whether its times are those of a player's clock.
    """

    suffix: str
    encode: Encode
    per_level: bool = False
    on_player_clock: bool = True


def file_formats(config: ExportConfig) -> Mapping[str, Format]:
    """The formats by name, without csv, which has one file for all videos."""
    release = partial(release_json, closing=config.closing)
    return {
        "webvtt": Format(".vtt", lambda video, _: webvtt(video), per_level=True),
        "ffmetadata": Format(".ffmeta", lambda video, _: ffmetadata(video), per_level=True),
        "release": Format(".json", lambda video, _: release(video), on_player_clock=False),
        "elan": Format(".eaf", elan),
        "otio": Format(".otio", lambda video, _: opentimeline(video)),
    }


class Output(ABC):
    """What one format makes of all videos; a context manager.

    Args:
        folder: where its files lie.

    Attributes:
        folder: as given.
        written: number of files that were written.
        unchanged: number of files that held already what they should.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written = 0
        self.unchanged = 0
        self._stack = ExitStack()  # what is one for all videos
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @abstractmethod
    def add(self, video: ExportedVideo, tell: Callable[[float], None]) -> None:
        """Writes what is of one video.

        Args:
            video: its levels are those chosen for formats.
            tell: called with the share that is done, where it takes long.

        Raises:
            StreamerError: the video cannot be exported.
        """

    def describe(self) -> str:
        """What was written, and where."""
        counts = {"written": self.written, "unchanged": self.unchanged}
        parts = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        files = counted(self.written + self.unchanged, "file")
        return f"{files}{f' ({parts})' if parts else ''} in {self.folder}"


class FileOutput(Output):
    """A file per video, or per level of a video.

    Args:
        folder: where the files lie.
        form: the format.
    """

    def __init__(self, folder: Path, form: Format) -> None:
        super().__init__(folder)
        self._form = form

    def add(self, video: ExportedVideo, tell: Callable[[float], None]) -> None:
        """Writes the files of one video."""
        name = file_name(video.hierarchy.video_id)
        if self._form.per_level:
            for level in video.levels:
                self._write(self.folder / f"{name}.L{level}{self._form.suffix}", video.at(level))
        elif video.levels:
            self._write(self.folder / f"{name}{self._form.suffix}", video)

    def _write(self, path: Path, video: ExportedVideo) -> None:
        content = self._form.encode(video, self.folder)
        if path.is_file() and path.read_bytes() == content:
            self.unchanged += 1
            return
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)
        self.written += 1


class TableOutput(Output):
    """One CSV file for all videos.

    Args:
        folder: where `events.csv` lies.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)

    def __enter__(self) -> TableOutput:
        temporary = self._stack.enter_context(atomic_write(self.folder / "events.csv"))
        self._table = self._stack.enter_context(EventsCsv(temporary))
        self.written = 1
        return self

    def add(self, video: ExportedVideo, tell: Callable[[float], None]) -> None:
        """Writes the rows of one video."""
        if video.levels:
            self._table.add(video)


class ClipOutput(Output):
    """A folder of clips per video.

    Args:
        folder: where these folders lie.
        level: whose events become clips.
    """

    def __init__(self, folder: Path, level: int) -> None:
        super().__init__(folder)
        self._level = level
        self.removed = 0
        self.damaged_sound: list[str] = []

    def add(self, video: ExportedVideo, tell: Callable[[float], None]) -> None:
        """Cuts the clips of one video that are missing, and removes those whose events are no more."""
        hierarchy, media, level = video.hierarchy, video.media, self._level
        if level >= hierarchy.num_levels:
            return
        if not media.is_video:
            raise ExportError("is no video but vectors: no clips can be cut out of it")
        names = clip_names(hierarchy, level)
        folder = self.folder / file_name(hierarchy.video_id)
        folder.mkdir(exist_ok=True)
        for path in stale_clips(folder, level, names):
            path.unlink()
            self.removed += 1
        current = {name for name in names if is_current(folder / name, media.uri)}
        self.unchanged += len(current)
        clips = [
            Clip(
                None if name in current else folder / name,
                media.start_s + start_s,
                media.start_s + end_s,
                place_name(level, index, start_s),
            )
            for index, (name, (start_s, end_s)) in enumerate(
                zip(names, hierarchy.segments(level), strict=True)
            )
        ]
        before = self.written

        def count() -> None:
            self.written += 1
            tell((self.written - before) / (len(clips) - len(current)))

        if cut_clips(media.uri, clips, count):
            self.damaged_sound.append(hierarchy.video_id)

    def describe(self) -> str:
        """What was written, where, and what was removed."""
        removed = f", {counted(self.removed, 'clip')} of former events removed" if self.removed else ""
        return super().describe() + removed
