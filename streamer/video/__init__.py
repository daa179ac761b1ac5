"""Video to snippets: one frame per moment of a regular grid, in order, from any file that FFmpeg decodes."""

from streamer.video.decoders import (
    DecoderName,
    available_decoders,
    can_begin_anywhere,
    decoder_version,
    open_snippets,
)
from streamer.video.grid import SnippetGrid
from streamer.video.probe import VideoInfo, probe
from streamer.video.reader import SnippetReader

__all__ = [
    "DecoderName",
    "SnippetGrid",
    "SnippetReader",
    "VideoInfo",
    "available_decoders",
    "can_begin_anywhere",
    "decoder_version",
    "open_snippets",
    "probe",
]
