import pytest
import torch

import streamer
from streamer.spread import COLLAPSED, MEMORY, Spread, collapsed
from streamer.streamer import Streamer
from tests.streamer.tiny import tiny, vectors, watch


def spread_of(z_nD, piece=7):
    spread = Spread(z_nD.shape[1], z_nD.dtype, z_nD.device)
    for part in z_nD.split(piece):
        spread.add(part)
    assert spread.value is not None
    return spread.value


def units(n, dim=16, common=0.0):
    """Vectors of length 1 with something in common."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, dim, generator=generator, dtype=torch.float64)
    x[:, 0] += common
    return torch.nn.functional.normalize(x, dim=1)


def test_nothing_is_known_at_first():
    assert Spread(4, torch.float32, torch.device("cpu")).value is None
    assert not collapsed(None)


def test_it_is_the_variance_as_a_share_of_the_mean_square():
    z = units(200, common=3)
    expected = z.var(0, correction=0).sum().item()
    assert spread_of(z) == pytest.approx(expected, rel=0.05)  # older ones count a little less
    assert spread_of(5 * z) == pytest.approx(spread_of(z))


@pytest.mark.parametrize(("common", "expected"), [(0, False), (3, False), (100, True)])
def test_representations_that_are_all_alike_have_collapsed(common, expected):
    spread = spread_of(units(200, common=common))
    assert collapsed(spread) is expected
    assert (spread < COLLAPSED) is expected


def test_zeros_have_collapsed():
    assert collapsed(spread_of(torch.zeros(5, 4)))


def test_what_was_long_ago_is_forgotten():
    z = units(10 * MEMORY)
    z[:MEMORY] = 1.0
    assert spread_of(z) > 0.95


def test_a_model_tells_it_of_every_level_that_learned(tmp_path):
    model = Streamer(
        tiny(evolve_every=4, force_fixed_buffer=True, residual=True, learning={"optimize_every": 5})
    )
    assert model.spreads == [None]
    assert model.gates == [0.0]
    watch(model, vectors(80))
    model.settle()
    assert len(model.levels) == 3
    assert all(spread is not None and 0 <= spread <= 1 for spread in model.spreads[:2])
    assert len(model.gates) == 3
    assert model.gates[0] != 0
    streamer.save(model, tmp_path / "model.ckpt")
    loaded = streamer.load(tmp_path / "model.ckpt", train=True)
    assert (loaded.spreads, loaded.gates) == (model.spreads, model.gates)


def test_models_of_states_have_no_gates():
    assert Streamer(tiny()).gates == []
