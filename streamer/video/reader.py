"""Snippets of a video, in order, from any decoder."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from typing_extensions import Self

from streamer.errors import TruncatedVideoError, VideoError
from streamer.video.clock import Span
from streamer.video.container import BrokenStreamError
from streamer.video.grid import SnippetGrid
from streamer.video.probe import VideoInfo, ends_early

FrameT = TypeVar("FrameT")
