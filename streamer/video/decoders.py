"""Opens a video with the decoder that is asked for."""

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import av

from streamer.errors import ConfigError, VideoError
from streamer.video.decord_reader import READS_RIGHTLY, DecordReader, decord_is_installed
from streamer.video.grid import SnippetGrid
from streamer.video.probe import probe
from streamer.video.pyav_reader import PyavReader, leads_to_the_middle
from streamer.video.reader import SnippetReader

DecoderName = Literal["pyav", "decord"]


def available_decoders() -> list[DecoderName]:
    """Names of the decoders that are installed, the default first."""
    return ["pyav", "decord"] if decord_is_installed() else ["pyav"]


def decoder_version(decoder: DecoderName) -> str:
    """Names the version of a decoder, on which pixels depend.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        installed = version({"pyav": "av", "decord": "decord"}[decoder])
    except PackageNotFoundError as error:
        raise ConfigError(f"decoder: {decoder} is not installed; use 'pyav'") from error
    return f"{installed} {av.library_versions}" if decoder == "pyav" else installed


def open_snippets(
    uri: str | os.PathLike[str], grid: SnippetGrid, *, decoder: DecoderName = "pyav", threads: int = 1
) -> SnippetReader:
    """Opens a video for reading its snippets in order.

    Open it in the process that reads it: an open reader survives neither pickling nor a fork.

    Args:
        uri: path or, with PyAV, address.
        grid: which moments become snippets, and their size.
        decoder: `pyav` reads everything; `decord` reads ordinary files.
        threads: threads that PyAV decodes with; decord takes one.

    Raises:
        ConfigError: no such decoder, it is not installed, or `threads` is below 1.
        VideoError: the video cannot be opened or its first frame cannot be decoded.
    """
    if threads < 1:
        raise ConfigError(f"threads: {threads} is not a number of threads; use 1 or more")
    if decoder == "pyav":
        return PyavReader(os.fspath(uri), grid, threads)
    if decoder == "decord":
        return DecordReader(os.fspath(uri), grid)
    raise ConfigError(f"decoder: {decoder!r} is unknown; use one of: {', '.join(available_decoders())}")


def can_begin_anywhere(uri: str | os.PathLike[str], decoder: DecoderName = "pyav") -> bool:
    """Whether a reader whose grid begins late in the video leaves most of what lies before undecoded.

    Decodes a few frames at most. decord always does, but it reads through the whole file when it opens it.
    A video that cannot be opened gives False: the reader will say what is wrong with it.
    """
    try:
        if decoder == "decord":
            return any(name in READS_RIGHTLY for name in probe(uri).container.split(","))
        return leads_to_the_middle(os.fspath(uri))
    except VideoError:
        return False
