"""Cuts clips out of a video in one pass over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path

from av.error import FFmpegError

from pipelines.exports.clip_file import ClipFile
from pipelines.exports.exposure import Exposure, PictureReader, exposures
from pipelines.exports.sound import Sound, sound_stream
from streamer.atomic import atomic_write
from streamer.errors import VideoError
from streamer.video.container import VideoFile


@dataclass(frozen=True)
class Clip:
    """A part of a video.

    Attributes:
        path: the file that it becomes; None where that is there already.
        start_s: where it begins, in seconds after the video's first frame.
        end_s: where it ends.
        title: what it is called.
    """

    path: Path | None
    start_s: float
    end_s: float
    title: str


def cut_clips(uri: str, clips: Sequence[Clip], tell: Callable[[], None]) -> int:
    """Cuts clips that follow each other out of a video.

    The video is decoded once, a picture at a time, and no further than to the last clip that is missing.
    Every clip is written whole or not at all.

    Args:
        uri: path or address of the video.
        clips: in time order; each begins where the one before ends.
        tell: called after each clip that was written.

    Returns:
        How many pieces of the sound were damaged, and are silent in the clips.

    Raises:
        VideoError: the video cannot be read as far as to the last clip, or not be encoded; the clips before
            that place are written.
        OSError: a clip cannot be written.
    """
    missing = [place for place, clip in enumerate(clips) if clip.path is not None]
    if not missing:
        return 0
    try:
        return _cut(uri, clips[: missing[-1] + 1], tell)
    except FFmpegError as error:  # reading has errors of its own
        if isinstance(error, OSError):
            raise
        raise VideoError(uri, f"a clip of it cannot be encoded ({error.strerror or error})") from error


def _cut(uri: str, clips: Sequence[Clip], tell: Callable[[], None]) -> int:
    """Cuts clips of which the last is missing; see `cut_clips`."""
    bounds = [clips[0].start_s, *(clip.end_s for clip in clips)]
    with ExitStack() as stack:
        reader = stack.enter_context(PictureReader(uri))
        sound = _open_sound(stack, uri, reader.origin)
        shown = exposures(reader.pictures(bounds[-1]), bounds, reader.tolerance_s)
        for place, exposed in groupby(shown, key=lambda exposure: exposure.clip):
            clip = clips[place]
            if clip.path is not None:
                with (
                    atomic_write(clip.path) as temporary,
                    ClipFile(temporary, clip.title, reader.stream, reader.first, sound) as file,
                ):
                    _fill(file, exposed, sound)
                tell()
        return 0 if sound is None else sound.damaged


def _open_sound(stack: ExitStack, uri: str, origin: Fraction) -> Sound | None:
    """The sound of a recording; read by itself, so that it need not lie near its pictures in the file."""
    file = stack.enter_context(closing(VideoFile(uri)))
    return None if sound_stream(file) is None else Sound(file, origin)


def _fill(file: ClipFile, exposed: Iterable[Exposure], sound: Sound | None) -> None:
    """Writes the pictures of a clip, and the sound under them."""
    origin_s: float | None = None
    for exposure in exposed:
        if origin_s is None:
            origin_s = exposure.start_s
        file.show(exposure.picture.frame, exposure.start_s - origin_s, exposure.end_s - origin_s)
        if sound is not None:
            start, end = (round(seconds * sound.rate) for seconds in (exposure.start_s, exposure.end_s))
            for samples in sound.read(start, end):
                file.hear(samples)
