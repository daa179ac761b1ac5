"""Pictures that need not be decoded, because no snippet shows them and no other picture refers to them."""

from collections import deque
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from streamer.video.clock import MAX_GAP_S
from streamer.video.nal_units import nal_format, nothing_refers_to

PROGRESSIVE = 1  # FFmpeg's number for pictures that are not split into two fields, and packets
MAX_REORDER = 32  # packets looked back upon; H.264 and H.265 reorder at most 16 pictures

Shows = Callable[[int, int], bool]


class SkippedFrame(NamedTuple):
    """Stands for a picture that was not decoded; stamps and duration in ticks, as in its packet."""

    pts: int
    dts: int
    duration: int


class Skipping:
    """Chooses packets that are not given to the decoder, and puts stand-ins where their pictures would be.

    The choice needs no packet that comes later: a picture that is decoded after one that is shown later is on
    screen at most until the next stamp known so far. Other pictures are always decoded, which costs little,
    as others mostly refer to them.

    Nothing is skipped any more once stamps are such that the order on screen does not follow from them.

    Args:
        codec: the decoder.
        time_base: seconds per tick.
        shows: whether a snippet may show a picture that is on screen from one stamp to another.
        latest: stamp of the frame that was decoded last.
    """

    def __init__(self, codec: VideoCodecContext, time_base: Fraction, shows: Shows, latest: int) -> None:
        self._codec = codec
        self._form = nal_format(codec)
        self._max_gap = MAX_GAP_S / time_base
        self._shows = shows
        self._stamps: deque[int] = deque(maxlen=MAX_REORDER)
        self._skipped: dict[int, SkippedFrame] = {}
        self._latest_dts: int | None = None
        self._latest_shown: int | None = latest
        fields = codec.codec.canonical_name == "h264" and codec.field_order != PROGRESSIVE
        self._stopped = self._form is None or self._form.layered or fields

    def restart(self) -> None:
        """Forgets the packets so far: those that come next are from another place."""
        self._stamps.clear()
        self._skipped.clear()
        self._latest_dts = None
        self._latest_shown = None

    def choose(self, packet: Packet) -> bool:
        """Whether to skip the packet, which must be the next one of the video."""
        if self._stopped or packet.is_discard:
            return False
        pts, dts = packet.pts, packet.dts
        if pts is None or dts is None or not self._in_order(pts, dts):
            self._stopped = True
            return False
        later = [stamp for stamp in self._stamps if stamp > pts]
        self._stamps.append(pts)
        self._latest_dts = dts
        if not later or len(later) > self._codec.reorder_depth or self._shows(pts, min(later)):
            return False
        assert self._form is not None
        if not nothing_refers_to(bytes(packet), self._form):
            return False
        self._skipped[pts] = SkippedFrame(pts, dts, packet.duration or 0)
        return True

    def fill_in(self, frames: Sequence[VideoFrame], at_end: bool) -> list[VideoFrame | SkippedFrame]:
        """Puts stand-ins for what was skipped between the frames that the decoder gave.

        Args:
            frames: in the order on screen.
            at_end: whether no frame follows.
        """
        filled: list[VideoFrame | SkippedFrame] = []
        for frame in frames:
            if frame.pts is not None:
                filled += self._due(frame.pts)
                self._latest_shown = frame.pts
            filled.append(frame)
        return filled + self._due(None) if at_end else filled

    def _due(self, before: int | None) -> list[SkippedFrame]:
        """Takes the stand-ins from before a stamp, or all, without those that no player would show."""
        due = sorted(pts for pts in self._skipped if before is None or pts < before)
        frames = [self._skipped.pop(pts) for pts in due]
        latest = self._latest_shown
        return [frame for frame in frames if latest is not None and frame.pts > latest]

    def _in_order(self, pts: int, dts: int) -> bool:
        """Whether the stamps of the next packet fit those before."""
        if dts > pts or (self._latest_dts is not None and dts <= self._latest_dts) or pts in self._stamps:
            return False
        return not self._stamps or pts - max(self._stamps) <= self._max_gap
