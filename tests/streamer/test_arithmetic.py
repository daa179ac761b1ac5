"""Products and sums of outer products, in all types and on all kernels."""

import pytest
import torch

from streamer.arithmetic import Arithmetic, add_outer, product

TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-14, torch.bfloat16: 2e-2}
TYPES = list(TOLERANCE)


def relative(got, expected):
    return ((got.double() - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("n", "width", "height"), [(1, 8, 24), (5, 64, 8), (33, 1100, 40)])
def test_products(dtype, n, width, height):
    x, weight, bias = (torch.randn(*shape).to(dtype) for shape in ((n, width), (height, width), (height,)))
    expected = x.double() @ weight.double().t() + bias.double()
    assert relative(product(x, weight, bias), expected) < TOLERANCE[dtype]
    transposed = weight.t().contiguous().t()
    assert relative(product(x, transposed, bias), expected) < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("height", "width"), [(8, 24), (2500, 16), (16, 2500), (1024, 1024)])
def test_outer_products_are_added(dtype, height, width):
    total_type = torch.float64 if dtype == torch.float64 else torch.float32
    left, right = torch.randn(5, height).to(dtype), torch.randn(5, width).to(dtype)
    total = torch.randn(height, width, dtype=total_type)
    expected = total.double() + left.double().t() @ right.double()
    add_outer(total, left, right)
    assert relative(total, expected) < TOLERANCE[dtype]


@pytest.mark.parametrize("precision", ["float32", "float64", "bf16"])
@pytest.mark.parametrize("rows", [slice(None), slice(0, 6), slice(6, 18)])
def test_linear_adds_gradients_to_their_sums(precision, rows):
    arithmetic = Arithmetic(precision)
    tolerance = TOLERANCE[arithmetic.compute]
    layer = torch.nn.Linear(10, 18).to(arithmetic.state)
    for parameter in layer.parameters():
        parameter.grad = torch.ones_like(parameter)
    x = torch.randn(3, 4, 10, dtype=arithmetic.state, requires_grad=True)
    weights = torch.randn(3, 4, 18, dtype=arithmetic.state)[..., rows]
    got = arithmetic.linear(x, layer.weight, layer.bias, rows)
    (got * weights).sum().backward()

    reference, leaf = torch.nn.Linear(10, 18).double(), x.detach().double().requires_grad_()
    reference.load_state_dict(layer.state_dict())
    expected = reference(leaf)[..., rows]
    (expected * weights.double()).sum().backward()
    assert got.dtype == arithmetic.compute
    assert relative(got, expected) < tolerance
    assert relative(x.grad, leaf.grad) < tolerance
    for own, other in zip(layer.parameters(), reference.parameters(), strict=True):
        assert own.grad is not None
        assert relative(own.grad - 1, other.grad) < tolerance


def test_what_is_derived_is_made_once_until_parameters_change():
    arithmetic = Arithmetic("bf16")
    parameter = torch.nn.Parameter(torch.ones(2, 2))
    first = arithmetic.factor(parameter)
    with torch.no_grad():
        parameter.mul_(2)
    assert arithmetic.factor(parameter) is first
    arithmetic.parameters_changed()
    assert arithmetic.factor(parameter).float().equal(torch.full((2, 2), 2.0))
