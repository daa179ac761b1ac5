"""An opened video file or address, and the frames that FFmpeg decodes from it, one at a time."""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from itertools import chain, dropwhile, pairwise, takewhile
from typing import NamedTuple

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamer.errors import VideoError
from streamer.video.clock import MAX_GAP_S
from streamer.video.skipping import Shows, SkippedFrame, Skipping

NETWORK_TIMEOUT_S = 30.0
MAX_FAILED_READS = 16
SEEK_LEADS_S = (0.0, 1.0)  # indexes go by decoding time, up to a second before the time on screen

# Parts of names of formats under which FFmpeg shows texts and pictures as videos of one frame.
NOT_VIDEO = ("tty", "image2", "_pipe")
# Formats with an index that leads to a key frame, and with stamps that do not depend on where reading starts.
INDEXED = ("mov", "matroska")
# Formats with an index that says where each packet lies, so that none is lost unnoticed.
TELLS_PLACES = ("mov",)
# Transport formats that are cut at any place, so that data before the first whole picture is no damage.
CUT_ANYWHERE = ("mpegts", "mpeg")

Frame = VideoFrame | SkippedFrame


class BrokenStreamError(Exception):
    """Frames cannot be decoded further; every complete frame before was handed out.

    Attributes:
        reason: what is wrong.
        last: whether nothing decodable follows.
    """

    def __init__(self, reason: str, last: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.last = last


class _Batch(NamedTuple):
    """What one packet, or one attempt to read one, gave.

    Attributes:
        frames: undamaged frames.
        damage: what went wrong after them; None if nothing.
        complete_before: stamp in ticks before which no frame is missing in spite of the damage; None if
            unknown.
        decoded: whether a packet was decoded (else none was read, or the end of the stream).
    """

    frames: Sequence[Frame]
    damage: str | None = None
    complete_before: int | None = None
    decoded: bool = False


class VideoFile:
    """The video stream of a file or address, opened for decoding.

    Args:
        uri: path or address.
        threads: threads that decode.

    Attributes:
        uri: as given.
        container: PyAV's container.
        stream: the video stream in it.
        time_base: seconds per tick of the stream's stamps.
        others_end_s: time of the container up to which streams beside the video have been read; None if there
            was nothing of them.

    Raises:
        VideoError: it cannot be opened, holds no video, or there is no decoder for it.
    """

    def __init__(self, uri: str, threads: int = 1) -> None:
        self.uri = uri
        self.container = _open(uri)
        self.others_end_s: float | None = None
        # Of the packets that the decoder's threads may still be working on.
        self._latest_dts: deque[int] = deque(maxlen=threads)
        try:
            self.stream = _video_stream(self.container, uri)
        except VideoError:
            self.container.close()
            raise
        self._codec = self.stream.codec_context
        self._codec.thread_count = threads
        self._codec.thread_type = "AUTO"
        self._skipping: Skipping | None = None
        assert self.stream.time_base is not None
        self.time_base: Fraction = self.stream.time_base

    def close(self) -> None:
        """Closes the file."""
        self.container.close()

    def is_format(self, names: tuple[str, ...]) -> bool:
        """Whether the container's format goes by one of `names`."""
        return any(name in names for name in self.container.format.name.split(","))

    def skip(self, shows: Shows, origin: int) -> None:
        """Leaves out, from now on, pictures that nothing refers to and that no snippet shows.

        Skipped frames stand in their places. Damage inside of such a picture is not noticed. In formats that
        search for the next packet where some are destroyed, such damage is often the only sign that packets
        are missing; nothing is left out there.

        Args:
            shows: whether a snippet may show a picture that is on screen from one stamp (ticks) to another.
            origin: stamp of the first frame, which has been decoded.
        """
        if self.is_format(TELLS_PLACES):
            self._skipping = Skipping(self.stream, shows, origin)

    @property
    def skips(self) -> bool:
        """Whether pictures may be left out."""
        return self._skipping is not None

    def frames(self) -> Iterator[Frame]:
        """Decodes from where the file stands, in the order on screen, a packet when a frame is asked for.

        Raises:
            BrokenStreamError: after the last frame that was complete before the damage; where pictures are
                skipped, that is not exactly known, and the place is to be read again without.
        """
        lead_in = self.is_format(CUT_ANYWHERE)
        batches = self._batches()
        for batch in batches:
            lead_in = lead_in and not batch.frames
            yield from batch.frames
            if batch.damage is not None and not lead_in:
                if self._skipping is not None:
                    raise BrokenStreamError(batch.damage, last=False)
                last = yield from self._frames_in_the_making(batches, batch.complete_before)
                raise BrokenStreamError(batch.damage, last)

    def frames_from(self, pts: int) -> Iterator[Frame] | None:
        """Like `frames`, but from a key frame shown at or before `pts` (ticks) on.

        Returns:
            The frames; None where they might differ from those that reading from the start gives. The file
            must be opened anew then.
        """
        if not self.is_format(INDEXED):
            return None
        try:
            for lead_s in SEEK_LEADS_S:
                frames = self._frames_from_key(pts - round(lead_s / self.time_base), pts)
                if frames is not None:
                    return frames
        except (FFmpegError, BrokenStreamError):
            return None  # what is wrong shows again, with its place, when reading from the start
        return None

    def _frames_from_key(self, target: int, pts: int) -> Iterator[Frame] | None:
        """The frames from the key frame to which the index leads from `target`, if it is shown by `pts`."""
        self.container.seek(target, stream=self.stream)
        if not self._steady():
            return None
        key = next(self.container.demux(self.stream))
        if not key.is_keyframe or key.pts is None or key.pts > pts:
            return None
        first_pts = key.pts
        self.container.seek(target, stream=self.stream)
        self._latest_dts.clear()
        if self._skipping is not None:
            self._skipping.restart()
        # Frames shown before an open group's key frame refer to pictures that were skipped.
        frames = dropwhile(lambda frame: frame.pts is None or frame.pts < first_pts, self.frames())
        first = next(frames, None)
        if first is None or first.pts != first_pts:
            return None
        return chain([first], frames)

    def _steady(self) -> bool:
        """Whether the index has no jump in time that only a clock that runs from the start can bridge.

        To be asked after the first seek: Matroska's index is not read before.
        """
        stamps = [entry.timestamp for entry in self.stream.index_entries]
        return all(0 <= (b - a) * self.time_base <= MAX_GAP_S for a, b in pairwise(stamps))

    def _batches(self) -> Iterator[_Batch]:
        """Reads and decodes on, over damage, until the file ends or cannot be read any more."""
        packets = self.container.demux()
        failures = 0
        while failures < MAX_FAILED_READS:
            try:
                packet = next(packets, None)
            except IndexError:
                # PyAV, where a packet belongs to a stream that was not there when the file was opened.
                packets = self.container.demux()
                continue
            except FFmpegError as error:
                failures += 1
                packets = self.container.demux()
                after_latest = self._latest_dts[-1] + 1 if self._latest_dts else None
                yield _Batch([], _message(error), after_latest)
                continue
            if packet is None:
                return
            failures = 0
            if packet.stream is self.stream:  # the empty packets at the end have no index
                yield self._decode(packet)
            else:
                self._note_other(packet)

    def _decode(self, packet: Packet) -> _Batch:
        """Decodes a packet of the video, or the empty one that ends it."""
        if packet.dts is not None:
            self._latest_dts.append(packet.dts)
            if packet.size == 0:
                # AVI marks dropped frames so; the decoder would take it for the end.
                return _Batch([])
        oldest_dts = self._latest_dts[0] if self._latest_dts else None
        if packet.is_corrupt:
            return _Batch([], "damaged data", oldest_dts)
        if packet.size > 0 and self._skipping is not None:
            if self._skipping.choose(packet):
                return _Batch([])
            if self._skipping.lands_badly(packet):
                return _Batch([], "a key frame refers to pictures before it", oldest_dts)
        try:
            frames = self._codec.decode(packet)
        except FFmpegError as error:
            return _Batch([], _message(error), oldest_dts)
        whole = list(takewhile(lambda frame: not frame.is_corrupt, frames))
        damage = "damaged picture" if len(whole) < len(frames) else None
        filled = self._skipping.fill_in(whole) if self._skipping is not None else whole
        return _Batch(filled, damage, decoded=packet.size > 0)

    def _frames_in_the_making(
        self, batches: Iterator[_Batch], complete_before: int | None
    ) -> Generator[Frame, None, bool]:
        """Yields frames from before the damage that the decoder held back; returns whether nothing follows.

        A frame is never shown before it is decoded, so those shown before the damaged packet's decoding time
        are complete.
        """
        for batch in batches:
            for frame in batch.frames:
                if complete_before is not None and frame.pts is not None and frame.pts < complete_before:
                    yield frame
                elif batch.decoded:
                    return False
        return True

    def _note_other(self, packet: Packet) -> None:
        """Notes up to where a stream beside the video goes."""
        if packet.pts is None or packet.time_base is None:
            return
        end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
        self.others_end_s = end_s if self.others_end_s is None else max(self.others_end_s, end_s)


def _open(uri: str) -> InputContainer:
    """Opens a path or address for reading."""
    remote = "://" in uri
    # The prefix keeps FFmpeg from taking a colon in a file's name for a protocol.
    address = uri if remote else f"file:{uri}"
    try:
        return av.open(
            address,
            "r",
            metadata_errors="replace",
            timeout=NETWORK_TIMEOUT_S if remote else None,
        )
    except FFmpegError as error:
        raise VideoError(
            uri, f"cannot be opened ({_message(error)}); check that it is a whole, readable video"
        ) from error


def _video_stream(container: InputContainer, uri: str) -> VideoStream:
    """The stream that a player would show; cover pictures do not count."""
    format_name = container.format.name
    if any(part in format_name for part in NOT_VIDEO):
        raise VideoError(
            uri, f"is no video but text or a picture ({format_name}); leave it out of the inputs"
        )
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise VideoError(uri, "has no video stream; leave it out of the inputs")
    best = container.streams.best("video")
    stream = next((s for s in streams if s is best), streams[0])
    if stream.codec_context is None:
        raise VideoError(uri, "no decoder for its video codec; re-encode it, for example to H.264")
    return stream


def _message(error: FFmpegError) -> str:
    """FFmpeg's words for an error."""
    return error.strerror or type(error).__name__
