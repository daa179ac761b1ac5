"""The fixed projection, held against its definition in whole numbers and fractions, and its promises."""

import hashlib

import numpy as np
import pytest

from streamer.features import FEATURE_DIM
from streamer.projection import orthonormal_columns, project

MASK = (1 << 64) - 1


def sign(i: int, j: int) -> int:
    z = ((j << 32) + i + 1) * 0x9E3779B97F4A7C15 & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return 1 if (z ^ z >> 31) >> 63 else -1


def plain_columns(rows: int, columns: int) -> np.ndarray:
    """The definition by another way to the same columns: QR, with positive diagonal."""
    signs = np.array([[sign(i, j) for j in range(columns)] for i in range(rows)], float)
    q, r = np.linalg.qr(signs)
    return q * np.sign(np.diag(r))


@pytest.mark.parametrize(("rows", "columns"), [(9, 8), (50, 16), (FEATURE_DIM, 32)])
def test_the_matrix_is_what_the_definition_says(rows, columns):
    matrix = orthonormal_columns(rows, columns)
    assert matrix == pytest.approx(plain_columns(rows, columns), abs=2**-22)
    assert matrix.T @ matrix == pytest.approx(np.eye(columns), abs=1e-5)
    assert (matrix * 2**22 == np.rint(matrix * 2**22)).all()


def test_the_matrix_has_these_bits_on_every_machine():
    content = orthonormal_columns(FEATURE_DIM, 128).tobytes()
    assert hashlib.blake2b(content, digest_size=8).hexdigest() == "4f112c82ee7717fd"


def test_fewer_columns_are_the_first_of_more():
    assert (orthonormal_columns(FEATURE_DIM, 64) == orthonormal_columns(FEATURE_DIM, 128)[:, :64]).all()


@pytest.mark.parametrize("scale", [1e-20, 1.0, 3e4])
def test_features_are_projected_exactly_and_each_by_itself(scale):
    features = (np.random.default_rng(0).standard_normal((40, 300)) * scale).astype(np.float32)
    features[3] = 0
    together = project(features, 64)
    assert together.dtype == np.float32
    assert together == pytest.approx(features @ orthonormal_columns(300, 64), abs=1e-5 * scale)
    for row in range(40):
        assert (project(features[row : row + 1], 64)[0] == together[row]).all()
    assert (project(features[::-1], 64)[::-1] == together).all()


def test_features_of_the_wanted_width_stay_as_they_are():
    features = np.random.default_rng(0).standard_normal((5, 16)).astype(np.float32)
    assert (project(features, 16) == features).all()


def test_distances_survive():
    features = np.random.default_rng(1).standard_normal((60, FEATURE_DIM)).astype(np.float32)
    features[20:] *= np.linspace(0, 1, FEATURE_DIM)  # of several kinds
    before = np.linalg.norm(features[:, None] - features[None], axis=2)[np.triu_indices(60, 1)]
    small = project(features, 128)
    after = np.linalg.norm(small[:, None] - small[None], axis=2)[np.triu_indices(60, 1)]
    ratio = after / before * (FEATURE_DIM / 128) ** 0.5
    assert abs(ratio.mean() - 1) < 0.05
    assert ratio.std() < 0.1
