"""From the timestamps that files carry to times that a stream of frames can be sampled by."""

from fractions import Fraction
from typing import NamedTuple

MAX_STEP_BACK_S = 1.0  # further back is a new recording in the same file, less is a misplaced stamp
MAX_GAP_S = 3600.0  # no recording pauses longer than this within a file; a longer jump is a broken stamp


class Span(NamedTuple):
    """When a frame is on screen, in seconds after the first frame.

    `end_s` holds if no other frame follows; otherwise the frame stays until the next one appears.
    """

    start_s: float
    end_s: float


class FrameClock:
    """Gives every decoded frame its time; frames come in the decoder's order, which is the order on screen.

    Times never go back, so no time stamp can reorder frames. Rules, in this order:

    1. A frame's time is its presentation stamp. Where it has none, or where presentation stamps have gone
       back more often than decoding stamps (AVI files with B-frames), it is its decoding stamp, counted so
       that both kinds give the first frame the same time.
    2. A frame without a stamp to go by appears when the display duration of the frame before it ends.
    3. A stamp that lies up to `MAX_STEP_BACK_S` before the time of the frame before it is raised to that
       time: of the two frames the later one is on screen.
    4. After a larger step back, or a jump ahead of more than `MAX_GAP_S`, time goes on where the frame
       before it ended (joined recordings, restarted clocks).

    Args:
        time_base: seconds per tick of the stamps.
        frame_ticks: display duration in ticks that is assumed where a frame has none and cannot be inferred.
        origin: presentation stamp of the video's first frame; None if the first frame to come is that frame.
    """

    def __init__(self, time_base: Fraction, frame_ticks: int, origin: int | None = None) -> None:
        self._time_base = time_base
        self._interval = max(1, frame_ticks)
        self._now: int | None = None
        self._end = 0
        self._presentation = _Stamps(None if origin is None else -origin)
        self._decoding = _Stamps(None)

    def stamp(self, pts: int | None, dts: int | None, duration: int | None) -> Span:
        """Times of the next frame from its presentation stamp, decoding stamp and duration, in ticks."""
        self._presentation.see(pts)
        self._decoding.see(dts)
        distrusted = self._decoding.offset is not None and self._presentation.faults > self._decoding.faults
        if pts is None or distrusted:
            ticks = self._place(self._decoding, dts)
        else:
            ticks = self._place(self._presentation, pts)
        self._presentation.align(pts, ticks)
        self._decoding.align(dts, ticks)
        if self._now is not None and ticks > self._now:
            self._interval = ticks - self._now
        self._now = ticks
        self._end = ticks + (duration if duration and duration > 0 else self._interval)
        return Span(float(ticks * self._time_base), float(self._end * self._time_base))

    def _place(self, stamps: "_Stamps", stamp: int | None) -> int:
        """Ticks after the first frame at which a frame with this stamp appears."""
        if stamp is None or stamps.offset is None:
            return self._end
        ticks = stamp + stamps.offset
        if self._now is None:
            return ticks
        step_s = float((ticks - self._now) * self._time_base)
        if step_s < -MAX_STEP_BACK_S or step_s > MAX_GAP_S:
            stamps.offset += self._end - ticks
            return self._end
        return max(self._now, ticks)


class _Stamps:
    """The time stamps of one kind.

    Attributes:
        offset: what to add to a stamp to get ticks after the first frame; None before the first stamp.
        faults: how often they failed to increase.
    """

    def __init__(self, offset: int | None) -> None:
        self.offset = offset
        self.faults = 0
        self._last: int | None = None

    def see(self, stamp: int | None) -> None:
        """Notes the next stamp."""
        if stamp is None:
            return
        if self._last is not None and stamp <= self._last:
            self.faults += 1
        self._last = stamp

    def align(self, stamp: int | None, ticks: int) -> None:
        """Lets the first stamp mean `ticks`."""
        if self.offset is None and stamp is not None:
            self.offset = ticks - stamp
