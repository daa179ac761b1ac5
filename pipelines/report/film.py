"""Pictures of one video, evenly spaced in time: a sheet of thumbnails, and a strip of a few for the library.

What a sheet holds is told by a small file beside it, which also says from what the sheet was made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from PIL import Image

from streamer.atomic import atomic_write
from streamer.errors import VideoError
from streamer.video import SnippetGrid, open_snippets
from streamer.video.container import INDEXED, VideoFile
from streamer.video.probe import first_frame

MOST = 200
"""Thumbnails of a video, whatever its length."""

FEWEST = 16
"""Thumbnails of a short video, if it has so many frames."""

BOX = (128, 72)
"""Pixels into which a thumbnail fits."""

COLUMNS = 16
"""Thumbnails in a row of a sheet."""

STRIP_FRAMES = 8
VERSION = 1

SEEK_FROM_S = 2.0
"""Where thumbnails are further apart, key frames are looked up; else all frames are decoded."""

_SHORTEST_SIDE = 4
_QUALITY = 76
_BEHIND_KEY = 400  # frames decoded after a key frame in search of one that was not shown yet


@dataclass(frozen=True)
class FilmJob:
    """What to make thumbnails of.

    Attributes:
        uri: path or address of the video.
        start_s: where the part that was segmented begins, in seconds after the first frame.
        duration_s: its length.
        width: of the video, pixels as displayed.
        height: of the video.
        fps: frames per second; None where unknown.
        sheet: the file to write; the two others lie beside it.
    """

    uri: str
    start_s: float
    duration_s: float
    width: int
    height: int
    fps: float | None
    sheet: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a thumbnail, the video's shape as far as it fits the box."""
        scale = min(BOX[0] / self.width, BOX[1] / self.height)
        return max(_SHORTEST_SIDE, round(self.width * scale)), max(_SHORTEST_SIDE, round(self.height * scale))

    @property
    def count(self) -> int:
        """How many thumbnails are made."""
        frames = math.floor(self.duration_s * self.fps) if self.fps else FEWEST
        return max(1, min(MOST, max(FEWEST, math.ceil(self.duration_s)), frames))


@dataclass(frozen=True)
class Film:
    """What a sheet of thumbnails holds.

    Attributes:
        width: of a thumbnail, pixels.
        height: of a thumbnail, pixels.
        columns: thumbnails in a row of the sheet.
        times_s: seconds at which they were taken, ascending, within the part that was segmented.
    """

    width: int
    height: int
    columns: int
    times_s: list[float]

    def nearest(self, time_s: float) -> int:
        """The number of the thumbnail that was taken nearest to a time."""
        return int(np.abs(np.asarray(self.times_s) - time_s).argmin())


def strip_of(sheet: Path) -> Path:
    """The strip of a few frames that belongs to a sheet."""
    return sheet.with_name(f"{sheet.stem}.strip.jpg")


def note_of(sheet: Path) -> Path:
    """The file that tells what a sheet holds."""
    return sheet.with_name(f"{sheet.stem}.json")


def read_film(job: FilmJob) -> Film | None:
    """What was made for a job before; None where nothing was, or of another recording."""
    sheet = Path(job.sheet)
    try:
        note = json.loads(note_of(sheet).read_text(encoding="utf-8"))
        if note["source"] != _source(job) or not (sheet.is_file() and strip_of(sheet).is_file()):
            return None
        return Film(**note["film"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it is made again


def make_film(job: FilmJob) -> Film:
    """Makes sheet and strip; the file that tells of them comes last.

    Raises:
        VideoError: no frame can be read.
        OSError: the files cannot be written.
    """
    sheet, size = Path(job.sheet), job.size
    times_s, pictures = [], []
    for time_s, picture in _pictures(job):
        times_s.append(round(time_s, 3))
        pictures.append(picture)
    if not pictures:
        raise VideoError(job.uri, "no frame could be read")
    film = Film(*size, min(COLUMNS, len(pictures)), times_s)
    _save(_sheet(pictures, film), sheet)
    _save(_strip(pictures), strip_of(sheet))
    note = {"source": _source(job), "film": asdict(film)}
    with atomic_write(note_of(sheet)) as temporary:
        temporary.write_text(json.dumps(note), encoding="utf-8")
    return film


def _source(job: FilmJob) -> list[object]:
    """What a sheet depends on."""
    path = Path(job.uri)
    stat = path.stat() if path.is_file() else None
    known = [stat.st_size, stat.st_mtime_ns] if stat is not None else []
    return [VERSION, job.uri, job.start_s, job.duration_s, *job.size, job.count, *known]


def _pictures(job: FilmJob) -> Iterator[tuple[float, Image.Image]]:
    spacing_s = job.duration_s / job.count
    times_s = [(index + 0.5) * spacing_s for index in range(job.count)]
    if spacing_s >= SEEK_FROM_S:
        found = list(_sought(job, times_s))
        if len(found) > len(times_s) // 2:
            yield from found
            return
    yield from _read_through(job, times_s)


def _read_through(job: FilmJob, times_s: list[float]) -> Iterator[tuple[float, Image.Image]]:
    """Decodes everything; exact, and as far as a damaged file goes."""
    spacing_s = job.duration_s / job.count
    grid = SnippetGrid(
        snippet_size=spacing_s,
        frame_size=BOX[0],
        start_s=job.start_s + spacing_s / 2,
        end_s=job.start_s + job.duration_s,
    )
    taken = 0
    with open_snippets(job.uri, grid) as reader:
        try:
            for time_s, frame in zip(times_s, reader, strict=False):
                yield time_s, Image.fromarray(frame).resize(job.size, Image.Resampling.LANCZOS)
                taken += 1
        except VideoError:
            if not taken:
                raise
        if not taken:  # a frame that lasts as long as the video
            raise VideoError(job.uri, "no frame could be read")


def _sought(job: FilmJob, times_s: list[float]) -> Iterator[tuple[float, Image.Image]]:
    """Seeks to each time and takes the key frame there, or a later frame if that one was taken before.

    Nothing where the container's index leads nowhere; frames that cannot be decoded are left out.
    """
    file = VideoFile(job.uri)
    try:
        first = first_frame(file, file.frames())
        if first.pts is None or not file.is_format(INDEXED):
            return
        reformatter, latest = VideoReformatter(), -1
        for time_s, following_s in pairwise([*times_s, job.duration_s]):
            pts = first.pts + int((job.start_s + time_s) / file.time_base)
            frame = _frame_near(file, pts, latest)
            if frame is None or frame.pts is None:
                continue
            taken_s = float((frame.pts - first.pts) * file.time_base) - job.start_s
            if 0 <= taken_s < following_s:
                latest = frame.pts
                yield taken_s, _scaled(reformatter, frame, job.size)
    finally:
        file.close()


def _frame_near(file: VideoFile, pts: int, latest: int) -> VideoFrame | None:
    """The key frame before `pts` (ticks) if it is later than `latest`, or else the frame on screen then."""
    shown: VideoFrame | None = None
    try:
        file.container.seek(pts, stream=file.stream)
        for number, frame in enumerate(file.container.decode(file.stream)):
            if frame.pts is None:
                return None
            if number == 0 and frame.pts > latest:
                return frame
            if number > _BEHIND_KEY or (shown is not None and frame.pts > pts):
                break
            shown = frame
    except FFmpegError:
        return None
    return shown if shown is not None and shown.pts is not None and shown.pts > latest else None


def _scaled(reformatter: VideoReformatter, frame: VideoFrame, size: tuple[int, int]) -> Image.Image:
    quarters = round(frame.rotation / 90) % 4
    width, height = size if quarters % 2 == 0 else size[::-1]
    scaled = reformatter.reformat(frame, width, height, "rgb24", interpolation=Interpolation.AREA)
    return Image.fromarray(np.ascontiguousarray(np.rot90(scaled.to_ndarray(), quarters)))


def _sheet(pictures: list[Image.Image], film: Film) -> Image.Image:
    rows = math.ceil(len(pictures) / film.columns)
    sheet = Image.new("RGB", (film.columns * film.width, rows * film.height))
    for index, picture in enumerate(pictures):
        row, column = divmod(index, film.columns)
        sheet.paste(picture, (column * film.width, row * film.height))
    return sheet


def _strip(pictures: list[Image.Image]) -> Image.Image:
    """Some of the pictures side by side, cut to the shape of the box."""
    strip = Image.new("RGB", (STRIP_FRAMES * BOX[0], BOX[1]))
    for place in range(STRIP_FRAMES):
        picture = pictures[int((place + 0.5) / STRIP_FRAMES * len(pictures))]
        scale = max(BOX[0] / picture.width, BOX[1] / picture.height)
        width, height = (
            max(side, round(length * scale)) for side, length in zip(BOX, picture.size, strict=True)
        )
        left, top = (width - BOX[0]) // 2, (height - BOX[1]) // 2
        cut = picture.resize((width, height)).crop((left, top, left + BOX[0], top + BOX[1]))
        strip.paste(cut, (place * BOX[0], 0))
    return strip


def _save(picture: Image.Image, path: Path) -> None:
    with atomic_write(path) as temporary:
        picture.save(temporary, "JPEG", quality=_QUALITY, optimize=True)
