"""The palette of frames: which colours they have, wherever in the frame these are.

Two views of one place differ in layout and share colours; so the palette tells what layout cannot, whether
the next view still belongs to the scene.

A frame becomes two blocks, one after the other:

- *Colours*, 16 x 3: the square roots of the shares of its pixels in 16 bins of hue and 3 of saturation, which
  has length 1.
- *Brightness*, 3: half the square roots of the shares of its pixels in 3 bins of brightness, so that pictures
  without colour differ too.

Bins are found in whole numbers: palettes are the same on every machine, up to the rounding of square roots.
"""

from __future__ import annotations

import numpy as np

HUES = 16
SATURATIONS = 3
BRIGHTNESSES = 3
PALETTE_DIM = HUES * SATURATIONS + BRIGHTNESSES
"""Numbers of a palette."""

BRIGHTNESS_SHARE = 0.5  # length of the block of brightness beside that of colours
CHUNK = 16  # frames at once, whose intermediate results then stay in the cache


def frame_palettes(frames_THW3: np.ndarray) -> np.ndarray:
    """Computes the palettes of frames, each by itself.

    With R, G, B the bytes of a pixel, M the largest and m the smallest of them, d = M - m:

    - Hue, in sixths of the circle, is (G - B)/d where R = M, else 2 + (B - R)/d where G = M, else
      4 + (R - G)/d, modulo 6; 0 where d = 0. Its bin is floor(16·hue/6).
    - The bin of saturation is floor(3·d/M), at most 2; 0 where M = 0.
    - The bin of brightness is floor(3·M/255), at most 2.

    In the block of colours hue comes first, then saturation.

    Args:
        frames_THW3: uint8 RGB.

    Returns:
        float32 `[T, PALETTE_DIM]`.
    """
    frames = np.asarray(frames_THW3)
    assert frames.dtype == np.uint8, frames.dtype
    assert frames.ndim == 4, frames.shape
    assert frames.shape[3] == 3, frames.shape
    palettes = np.empty((len(frames), PALETTE_DIM), np.float32)
    for start in range(0, len(frames), CHUNK):
        chunk = frames[start : start + CHUNK].astype(np.int32)
        colours, brightness = _bins(chunk.reshape(len(chunk), -1, 3))
        blocks = [
            _root_shares(colours, HUES * SATURATIONS),
            BRIGHTNESS_SHARE * _root_shares(brightness, BRIGHTNESSES),
        ]
        palettes[start : start + CHUNK] = np.concatenate(blocks, axis=1)
    return palettes


def _bins(pixels_TP3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bins of colour and of brightness of every pixel, `[T, P]` each."""
    red, green, blue = np.moveaxis(pixels_TP3, -1, 0)
    most, least = pixels_TP3.max(axis=-1), pixels_TP3.min(axis=-1)
    spread = most - least
    of_green = np.where(green == most, 2 * spread + blue - red, 4 * spread + red - green)
    hue = np.where(red == most, green - blue, of_green)  # times the spread, in sixths of the circle
    turned = np.where(hue < 0, hue + 6 * spread, hue)
    hue_bin = HUES * turned // np.maximum(6 * spread, 1)
    saturation_bin = np.minimum(SATURATIONS * spread // np.maximum(most, 1), SATURATIONS - 1)
    brightness_bin = np.minimum(BRIGHTNESSES * most // 255, BRIGHTNESSES - 1)
    return hue_bin * SATURATIONS + saturation_bin, brightness_bin


def _root_shares(bins_TP: np.ndarray, count: int) -> np.ndarray:
    """Square roots of the shares of pixels in each bin, `[T, count]`."""
    frames, pixels = bins_TP.shape
    numbered = bins_TP + count * np.arange(frames)[:, None]
    counts = np.bincount(numbered.ravel(), minlength=frames * count).reshape(frames, count)
    return np.sqrt(counts / pixels)
