"""NAL units, the pieces of pictures in H.264 and H.265: what their headers tell of the pictures."""

from collections.abc import Iterator
from typing import NamedTuple

from av.video.codeccontext import VideoCodecContext

H264_SLICE = 1  # of a picture that is not the first of a sequence
H264_IDR = 5  # of a picture after which nothing refers to what lies before it
H265_IDR = (19, 20)
H265_LAST_SLICE = 15  # types above are of random access points or of no picture at all
DELIMITER = {"h264": 9, "hevc": 35}
SUPPLEMENTAL = {"h264": (6,), "hevc": (39, 40)}


class NalFormat(NamedTuple):
    """How NAL units are stored in the packets of a video.

    Attributes:
        codec: `h264` or `hevc`.
        length_bytes: how many bytes before every unit hold its length.
        layered: whether there may be pictures of several temporal layers.
    """

    codec: str
    length_bytes: int
    layered: bool


def nal_format(codec: VideoCodecContext) -> NalFormat | None:
    """The format as MP4, Matroska and Flash video have it; None for other codecs and for start codes."""
    name, setup = codec.codec.canonical_name, codec.extradata or b""
    if name == "h264" and len(setup) > 4 and setup[0] == 1:
        return NalFormat(name, (setup[4] & 3) + 1, layered=False)
    if name == "hevc" and len(setup) > 21 and setup[0] == 1:
        return NalFormat(name, (setup[21] & 3) + 1, layered=setup[21] >> 3 & 7 != 1)
    return None


def is_idr(data: bytes, form: NalFormat) -> bool:
    """Whether a packet holds a picture after which nothing refers to what lies before it."""
    headers = [header for header in _headers(data, form.length_bytes) if header]
    if form.codec == "h264":
        return any(header[0] & 31 == H264_IDR for header in headers)
    return any(header[0] >> 1 & 63 in H265_IDR for header in headers)


def nothing_refers_to(data: bytes, form: NalFormat) -> bool:
    """Whether a packet is exactly one picture to which, by its headers, no other picture refers.

    False where the packet holds anything that other pictures need, and where it is not whole.
    """
    slices = 0
    for header in _headers(data, form.length_bytes):
        if len(header) < 2:
            return False
        kind = header[0] & 31 if form.codec == "h264" else header[0] >> 1 & 63
        if kind in SUPPLEMENTAL[form.codec] or kind == DELIMITER[form.codec]:
            continue
        if not (_h264_discardable(header) if form.codec == "h264" else _h265_discardable(header)):
            return False
        slices += 1
    return slices > 0


def _h264_discardable(header: bytes) -> bool:
    """Whether this is a slice of a picture that is no reference."""
    return header[0] == H264_SLICE  # with the forbidden bit and the bits of importance 0


def _h265_discardable(header: bytes) -> bool:
    """Whether this is a slice of a picture of the lowest layers that is no reference within them."""
    kind = header[0] >> 1
    return kind < H265_LAST_SLICE and kind % 2 == 0 and header[0] & 1 == 0 and header[1] == 1


def _headers(data: bytes, length_bytes: int) -> Iterator[bytes]:
    """The first two bytes of every unit; an empty one at the end if the lengths do not add up."""
    place = 0
    while place + length_bytes < len(data):
        length = int.from_bytes(data[place : place + length_bytes], "big")
        place += length_bytes
        yield data[place : place + min(2, length)]
        place += length
    if place != len(data):
        yield b""
