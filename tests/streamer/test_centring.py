import pytest
import torch

from streamer.centring import PRIOR, Centre, centred


def run(video_TD):
    centre = Centre()
    return torch.cat([centred([centre], x_D[None]) for x_D in video_TD])


def video(snippets=60, dim=8, offset=5.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return offset + torch.randn(snippets, dim, generator=generator, dtype=torch.float64)


def test_the_first_input_keeps_its_direction():
    x = video()
    first = run(x)[0]
    assert torch.cosine_similarity(first, x[0], dim=0).item() == pytest.approx(1)
    assert first.norm().item() == pytest.approx(8**0.5)


def test_it_is_the_mean_and_the_size_of_all_so_far():
    x = video()
    mean = x[:31].sum(0) / (31 + PRIOR)
    size = (x[:31] - mean).square().mean().sqrt()
    torch.testing.assert_close(run(x)[30], (x[30] - mean) / size)


def test_what_comes_later_does_not_matter():
    x = video()
    assert torch.equal(run(x)[:20], run(x[:20]))


def test_videos_beside_each_other_do_not_matter():
    x, y = video(), video(seed=1)
    centres = [Centre(), Centre()]
    both = torch.stack([centred(centres, torch.stack(pair)) for pair in zip(x, y, strict=True)], dim=1)
    torch.testing.assert_close(both[0], run(x))
    torch.testing.assert_close(both[1], run(y))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 1e-30, 1.0, 1e20])
def test_a_still_video_stays_one_direction_of_the_same_size(value, dtype):
    out = run(torch.full((5000, 4), value, dtype=dtype))
    assert out.dtype == dtype
    expected = torch.full((4,), 1.0 if value else 0.0, dtype=dtype)
    torch.testing.assert_close(out, expected.expand_as(out), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_count_as_zero(broken):
    x = video().float()
    y = x.clone()
    x[7, 2], y[7, 2] = broken, 0.0
    assert torch.equal(run(x), run(y))


def test_size_and_offset_hardly_matter_after_a_while():
    x = video(2000, offset=0.0)
    one, other = run(x)[-200:], run(1000 * x + 3000)[-200:]
    assert torch.cosine_similarity(one, other).min().item() > 0.99
