"""Pictures that need not be decoded, because no snippet shows them nor a picture that refers to them."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamer.video.clock import MAX_GAP_S
from streamer.video.nal_units import is_idr, nal_format, nothing_refers_to

PROGRESSIVE = 1  # FFmpeg's number for pictures that are not split into two fields, and packets
MAX_REORDER = 32  # packets looked back upon; H.264 and H.265 reorder at most 16 pictures

Shows = Callable[[int, int], bool]


class SkippedFrame(NamedTuple):
    """Stands for a picture that was not decoded; stamps and duration in ticks, as in its packet."""

    pts: int
    dts: int | None
    duration: int | None


class Skipping:
    """Chooses packets that are not given to the decoder, and puts stand-ins where their pictures would be.

    The choice needs no packet that comes later. A picture that is decoded after one that is shown later is on
    screen at most until the next stamp known so far; it is skipped if nothing refers to it. Where pictures
    are not reordered, all are skipped from one on of which no snippet shows any up to the next key frame; the
    index tells its time.

    Nothing is skipped any more once stamps are such that the order on screen does not follow from them.

    Args:
        stream: the video.
        shows: whether a snippet may show a picture that is on screen from one stamp to another.
        origin: stamp of the first frame of the video, which has been decoded.
    """

    def __init__(self, stream: VideoStream, shows: Shows, origin: int) -> None:
        assert stream.time_base is not None
        codec, time_base = stream.codec_context, stream.time_base
        self._codec = codec
        self._keys = [entry.timestamp for entry in stream.index_entries if entry.is_keyframe]
        self._ahead: int | None = None  # ticks between decoding and showing
        self._jumped = False
        self._form = nal_format(codec)
        self._max_gap = MAX_GAP_S / time_base
        self._shows = shows
        self._stamps: deque[int] = deque(maxlen=MAX_REORDER)
        self._skipped: dict[int, SkippedFrame] = {}
        self._origin = origin
        fields = codec.codec.canonical_name == "h264" and codec.field_order != PROGRESSIVE
        self._stopped = self._form is None or self._form.layered or fields

    def restart(self) -> None:
        """Forgets the packets so far: those that come next are from another place."""
        self._stamps.clear()
        self._skipped.clear()
        self._jumped = False

    def choose(self, packet: Packet) -> bool:
        """Whether to skip the packet, which must be the next one of the video."""
        if self._stopped or packet.is_discard:  # edit lists hide it
            return False
        pts = packet.pts
        if pts is None or pts in self._stamps or (self._stamps and pts - max(self._stamps) > self._max_gap):
            self._stopped = True
            return False
        later = [stamp for stamp in self._stamps if stamp > pts]
        self._stamps.append(pts)
        if self._rest_is_unseen(packet, pts):
            self._jumped = True
            self._skipped[pts] = SkippedFrame(pts, packet.dts, packet.duration)
            return True
        # A decoder that expects less reordering would put the next of these pictures into a wrong place.
        if not 0 < len(later) <= self._codec.reorder_depth:
            return False
        if pts < self._origin or self._shows(pts, min(later)):
            return False
        assert self._form is not None
        if not nothing_refers_to(bytes(packet), self._form):
            return False
        self._skipped[pts] = SkippedFrame(pts, packet.dts, packet.duration)
        return True

    def lands_badly(self, packet: Packet) -> bool:
        """Whether the packet, which was not skipped, may refer to pictures that were."""
        if not self._jumped:
            return False
        assert self._form is not None
        self._jumped = False
        return not is_idr(bytes(packet), self._form)

    def _rest_is_unseen(self, packet: Packet, pts: int) -> bool:
        """Whether neither this picture nor any after it, up to the next key frame, is shown by a snippet."""
        if self._codec.reorder_depth > 0 or packet.dts is None:
            return False
        ahead = pts - packet.dts
        if self._ahead not in (None, ahead):
            self._keys.clear()  # pictures are reordered all the same
        self._ahead = ahead
        place = bisect_right(self._keys, packet.dts)
        if packet.is_keyframe or place == len(self._keys):
            return False
        return not self._shows(pts, self._keys[place] + ahead)

    def fill_in(self, frames: Sequence[VideoFrame]) -> list[VideoFrame | SkippedFrame]:
        """Puts stand-ins for what was skipped between the frames that the decoder gave, in screen order.

        A frame that was not skipped always follows, since only such make others skippable.
        """
        filled: list[VideoFrame | SkippedFrame] = []
        for frame in frames:
            due = sorted(pts for pts in self._skipped if frame.pts is not None and pts < frame.pts)
            filled += [self._skipped.pop(pts) for pts in due]
            filled.append(frame)
        return filled
