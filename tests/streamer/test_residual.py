import pytest
import torch

from streamer.residual import GATE_RATE, Residual
from tests.plain import modules as plain


def residuals(gate):
    one, other = Residual().double(), plain.Residual().double()
    for residual in (one, other):
        residual.gate.data.fill_(gate / GATE_RATE)
        residual.gate.grad = torch.zeros(1, dtype=torch.float64)
    return one, other


@pytest.mark.parametrize("size", [1.0, 1e6, 1e-7, 1e-12])
@pytest.mark.parametrize("shape", [(8,), (3, 4, 4)])
def test_gradients_are_those_of_the_definition(shape, size):
    torch.manual_seed(0)
    outputs, last, gradients = torch.randn(3, 5, *shape, dtype=torch.float64)
    outputs, last = outputs * size, last * 3
    one, other = residuals(0.3)
    leaf = outputs.clone().requires_grad_()
    expected = torch.stack([other(y, before) for y, before in zip(leaf, last, strict=True)])
    expected.backward(gradients)
    torch.testing.assert_close(one(outputs, last), expected.detach(), rtol=1e-12, atol=1e-12)
    assert leaf.grad is not None
    got = one.add_gradients(outputs, last, gradients)
    torch.testing.assert_close(got, leaf.grad, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(one.gate.grad, other.gate.grad, rtol=1e-12, atol=1e-12)


def test_the_size_of_outputs_does_not_matter_and_that_of_inputs_passes():
    torch.manual_seed(0)
    outputs, last = torch.randn(2, 5, 8, dtype=torch.float64)
    one, _ = residuals(0.3)
    change = one(outputs, last) - last
    torch.testing.assert_close(change.norm(dim=1), 0.3 * last.norm(dim=1))
    torch.testing.assert_close(one(1000 * outputs, last) - last, change)
    torch.testing.assert_close(one(outputs, 1000 * last), 1000 * one(outputs, last))


def test_it_begins_with_the_last_input():
    outputs, last = torch.randn(2, 5, 8)
    assert torch.equal(Residual()(outputs, last), last)


def test_outputs_and_inputs_of_zeros_give_numbers():
    one, _ = residuals(0.3)
    zeros, ones = torch.zeros(2, 8, dtype=torch.float64), torch.ones(2, 8, dtype=torch.float64)
    for outputs, last in ((zeros, ones), (ones, zeros), (zeros, zeros)):
        assert torch.isfinite(one(outputs, last)).all()
        assert torch.isfinite(one.add_gradients(outputs, last, ones)).all()
    assert one.gate.grad is not None
    assert torch.isfinite(one.gate.grad).all()
