import math

import pytest
import torch

from tests.plain import distance


def test_similarity_of_vectors_is_one_cosine():
    a, b = torch.tensor([3.0, 4.0]).double(), torch.tensor([4.0, 3.0]).double()
    assert distance.signal("similarity", a, b).item() == pytest.approx(24 / 25, rel=1e-14)


def test_similarity_of_frames_is_the_mean_cosine_of_rgb_triples():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(3, 4, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    cosines = [
        sum(a[c, y, x].item() * b[c, y, x].item() for c in range(3))
        / (math.dist((0, 0, 0), a[:, y, x].tolist()) * math.dist((0, 0, 0), b[:, y, x].tolist()))
        for y in range(4)
        for x in range(5)
    ]
    assert distance.signal("similarity", a, b).item() == pytest.approx(sum(cosines) / 20, rel=1e-13)


@pytest.mark.parametrize("shape", [(6,), (3, 2, 2)])
def test_distance_is_the_mean_squared_error(shape):
    a, b = torch.ones(shape), torch.ones(shape)
    b.flatten()[0] = 4.0
    assert distance.signal("distance", a, b).item() == pytest.approx(9 / a.numel())


def test_a_vector_of_zeros_has_similarity_0():
    assert distance.signal("similarity", torch.zeros(4), torch.ones(4)).item() == 0


def test_losses_fall_as_predictions_get_better():
    signal = torch.tensor(0.75)
    assert distance.loss("similarity", signal).item() == -0.75
    assert distance.loss("distance", signal).item() == 0.75
