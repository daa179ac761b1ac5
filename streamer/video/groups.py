"""Whether decoding may begin at every key frame of a video without a trace of what lies before."""

from collections.abc import Iterator

from av.error import FFmpegError
from av.packet import Packet

from streamer.video.container import VideoFile
from streamer.video.nal_units import is_idr, nal_format


def all_groups_closed(file: VideoFile) -> bool:
    """Reads through the packets without decoding them; the file is at its end afterwards.

    False where frames that are shown before a key frame come after it in the file (an open group of
    pictures), and where a key frame of H.264 is only the begin of a gradual refresh. What cannot be read any
    more is left to the decoder to complain about.
    """
    form = nal_format(file.stream.codec_context)
    h264 = form if form is not None and form.codec == "h264" else None
    key_pts: int | None = None
    for packet in _packets(file):
        if packet.is_keyframe:
            if h264 is not None and not is_idr(bytes(packet), h264):
                return False
            key_pts = packet.pts
        elif key_pts is not None and packet.pts is not None and packet.pts < key_pts:
            return False
    return True


def _packets(file: VideoFile) -> Iterator[Packet]:
    """The packets of the video up to the end or to where the container breaks."""
    try:
        yield from (packet for packet in file.container.demux(file.stream) if packet.size)
    except FFmpegError:
        return
