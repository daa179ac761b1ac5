"""Frozen features of frames: colour, gradients and histograms in numpy, without a parameter to learn.

A frame becomes three blocks, each scaled to length 1 (a block of zeros stays as it is), one after the other:

- *Colour*, 8 x 8 x 3: the mean colour of each cell of a grid, less the mean over all cells.
- *Gradient*, 8 x 8 x 4: for each cell the mean size of the brightness's derivative along 0, 45, 90 and 135
  degrees.
- *Histogram*, 2 x 2 x 64: for each quarter of the frame the square roots of the shares of its pixels in 64
  bins, four for each of red, green and blue.

Everything up to these means is computed in whole numbers, so a frame's features are the same to the bit in
every batch and on every machine, up to the rounding of the last steps.
"""

from __future__ import annotations

import numpy as np

GRID = 8  # cells along either side, for colour and gradients
QUARTERS = 2  # the same for histograms
BINS = 4  # per colour
DIRECTIONS = 4
FEATURE_DIM = GRID * GRID * (3 + DIRECTIONS) + QUARTERS * QUARTERS * BINS**3
"""D, the width of a frame's features: 192 + 256 + 256."""

CHUNK = 16  # frames at once, whose intermediate results then stay in the cache


def frame_features(frames_THW3: np.ndarray) -> np.ndarray:
    """Computes the features of frames, each by itself.

    With R, G, B the bytes of a pixel:

    - Cell (i, j) of a grid of n x n holds rows floor(i·H/n) up to before floor((i+1)·H/n), and columns in the
      same way.
    - Brightness is Y = R + 2G + B. Its derivatives are gx = Y[y, x+1] - Y[y, x-1], 0 in the first and last
      column, and gy = Y[y+1, x] - Y[y-1, x], 0 in the first and last row. The four directions are |gx|,
      |gx + gy| / √2, |gy| and |gx - gy| / √2.
    - A pixel's bin is 16·floor(R/64) + 4·floor(G/64) + floor(B/64).

    Within a block, the row of the cell comes first, then its column, then colour, direction or bin.

    Args:
        frames_THW3: uint8 RGB; H and W are at least 8.

    Returns:
        float32 [T, `FEATURE_DIM`].
    """
    frames = np.asarray(frames_THW3)
    assert frames.dtype == np.uint8, frames.dtype
    assert frames.ndim == 4, frames.shape
    assert frames.shape[3] == 3, frames.shape
    assert min(frames.shape[1:3]) >= GRID, frames.shape
    features = np.empty((len(frames), FEATURE_DIM), np.float32)
    for start in range(0, len(frames), CHUNK):
        chunk = frames[start : start + CHUNK]
        blocks = [_colour(chunk), _gradient(chunk), _histogram(chunk)]
        features[start : start + CHUNK] = np.concatenate([_scaled(block) for block in blocks], axis=1)
    return features


def centred(features_TD: np.ndarray) -> np.ndarray:
    """Features less their mean over the recording, which is most of what any two frames of it share.

    Args:
        features_TD: of the frames of one recording.

    Returns:
        float32 [T, D].
    """
    mean = features_TD.mean(axis=0, dtype=np.float64)
    return (features_TD - mean).astype(np.float32)


def _colour(frames: np.ndarray) -> np.ndarray:
    height, width = frames.shape[1:3]
    sums = np.stack([_cell_sums(frames[..., colour]) for colour in range(3)], axis=-1)
    means = sums / _cell_sizes(height, width)[..., None]
    return means - means.mean(axis=(1, 2), keepdims=True)


def _gradient(frames: np.ndarray) -> np.ndarray:
    red, green, blue = (frames[..., colour].astype(np.int16) for colour in range(3))
    brightness = red + 2 * green + blue
    along_x, along_y = np.zeros_like(brightness), np.zeros_like(brightness)
    np.subtract(brightness[:, :, 2:], brightness[:, :, :-2], out=along_x[:, :, 1:-1])
    np.subtract(brightness[:, 2:], brightness[:, :-2], out=along_y[:, 1:-1])
    directions = [along_x, along_x + along_y, along_y, along_x - along_y]
    sums = np.stack([_cell_sums(np.abs(derivative)) for derivative in directions], axis=-1)
    height, width = frames.shape[1:3]
    return sums * np.array([1.0, 0.5**0.5, 1.0, 0.5**0.5]) / _cell_sizes(height, width)[..., None]


def _histogram(frames: np.ndarray) -> np.ndarray:
    count, height, width, _ = frames.shape
    coarse = frames >> 6
    bins = coarse[..., 0] * (BINS * BINS) + coarse[..., 1] * BINS + coarse[..., 2]
    rows, columns = (np.append(_starts(side, QUARTERS), side) for side in (height, width))
    first = np.arange(count)[:, None, None] * BINS**3
    counts = np.empty((count, QUARTERS, QUARTERS, BINS**3))
    for i in range(QUARTERS):
        for j in range(QUARTERS):
            quarter = first + bins[:, rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
            counts[:, i, j] = np.bincount(quarter.ravel(), minlength=count * BINS**3).reshape(count, -1)
    return np.sqrt(counts / _cell_sizes(height, width, QUARTERS)[..., None])


def _starts(side: int, cells: int) -> np.ndarray:
    """Where each cell begins along a side of so many pixels."""
    return np.arange(cells) * side // cells


def _cell_sizes(height: int, width: int, cells: int = GRID) -> np.ndarray:
    """Pixels in each cell, [cells, cells]."""
    rows, columns = (np.diff(np.append(_starts(side, cells), side)) for side in (height, width))
    return np.outer(rows, columns)


def _cell_sums(values_THW: np.ndarray) -> np.ndarray:
    """Sums over the cells of the grid, int64 [T, GRID, GRID]."""
    height, width = values_THW.shape[1:]
    columns = np.add.reduceat(values_THW, _starts(height, GRID), axis=1, dtype=np.int32)
    return np.add.reduceat(columns, _starts(width, GRID), axis=2, dtype=np.int64)


def _scaled(block: np.ndarray) -> np.ndarray:
    """Flattens what is of one frame, and scales it to length 1 where it is not all zero."""
    flat = block.reshape(len(block), -1)
    lengths = np.sqrt((flat * flat).sum(axis=1, keepdims=True))
    return flat / np.where(lengths > 0, lengths, 1.0)
