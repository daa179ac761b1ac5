"""The fixed matrix that brings features of any width to the width of the model, distances nearly unchanged.

There is one matrix for each width K of features. Its first D columns are orthonormal for every D < K, so that
a vector's projection onto them is as long as the vector times about sqrt(D/K), whatever its direction.

- *Signs.* Entry (i, j), i and j from 0, is +1 where the top bit of `mix((j << 32) + i + 1)` is set, else -1.
  `mix` is SplitMix64's: with n times 0x9E3779B97F4A7C15 as z, `z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9`, then
  `z = (z ^ z >> 27) * 0x94D049BB133111EB`, then `z ^ z >> 31`, all modulo 2^64.
- *Columns* are made orthonormal from left to right by the modified Gram-Schmidt method in float64, all sums
  by halving: a vector, padded with zeros to a power of two, is added up as its first half plus its second
  half until one number is left.
- *Rounding.* Every entry is rounded to a multiple of 2^-22.

No step depends on the order in which a machine adds, and neither does `project`, whose products and sums are
exact: the same features give the same bits everywhere.
"""

from __future__ import annotations

import functools
import math

import numpy as np

MATRIX_BITS = 22
VECTOR_BITS = 30  # together 52: sums below 2 of their products are exact in float64


def project(features_TK: np.ndarray, dim: int) -> np.ndarray:
    """Projects features onto the first `dim` columns of the matrix of their width.

    Each vector is scaled by a power of two that makes it shorter than 1 and rounded to multiples of 2^-30,
    multiplied, and scaled back.

    Args:
        features_TK: finite numbers.
        dim: D, less than K; or K, which leaves the features as they are.

    Returns:
        float32 `[T, D]`; a row depends on no other.
    """
    count, width = features_TK.shape
    if width == dim:
        return features_TK.astype(np.float32)
    most = np.abs(features_TK.astype(np.float64)).max(axis=1, initial=0)
    exponents = np.frexp(most)[1] + math.ceil(math.log2(width) / 2)
    unit = np.ldexp(features_TK.astype(np.float64), -exponents[:, None])
    whole = np.ldexp(np.rint(np.ldexp(unit, VECTOR_BITS)), -VECTOR_BITS)
    projected = whole @ orthonormal_columns(width, dim)
    assert projected.shape == (count, dim)
    return np.ldexp(projected, exponents[:, None]).astype(np.float32)


@functools.lru_cache(maxsize=4)
def orthonormal_columns(rows: int, columns: int) -> np.ndarray:
    """The first columns of the matrix for features of so many numbers, float64 `[rows, columns]`."""
    assert 0 < columns < rows, (rows, columns)
    # Transposed, so that every column is one stretch of memory.
    basis = _signs(rows, columns).T.copy()
    for j in range(columns):
        basis[j] /= np.sqrt(_sums(basis[j : j + 1] ** 2))
        rest = basis[j + 1 :]
        rest -= _sums(rest * basis[j])[:, None] * basis[j]
    matrix = np.ldexp(np.rint(np.ldexp(basis.T, MATRIX_BITS)), -MATRIX_BITS)
    matrix.setflags(write=False)
    return matrix


def _signs(rows: int, columns: int) -> np.ndarray:
    row, column = np.arange(rows, dtype=np.uint64)[:, None], np.arange(columns, dtype=np.uint64)
    z = ((column << np.uint64(32)) + row + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    z ^= z >> np.uint64(31)
    return np.where(z >> np.uint64(63), 1.0, -1.0)


def _sums(values_nK: np.ndarray) -> np.ndarray:
    """Sums of rows by halving, `[n]`."""
    count, width = values_nK.shape
    sums = np.zeros((count, 1 << (width - 1).bit_length()))
    sums[:, :width] = values_nK
    while sums.shape[1] > 1:
        half = sums.shape[1] // 2
        sums = sums[:, :half] + sums[:, half:]
    return sums[:, 0]
