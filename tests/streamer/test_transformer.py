"""The transformer of which one row is read, against torch's own."""

import pytest
import torch

from streamer.arithmetic import Arithmetic
from streamer.transformer import Transformer
from tests.plain import modules as plain

DIM, HEADS = 16, 4


def pair():
    reference = plain.transformer(DIM, HEADS).double()
    network = Transformer(DIM, HEADS, Arithmetic("float64")).double()
    network.load_state_dict(reference.state_dict())
    for parameter in network.parameters():  # its linear layers add where there is a sum
        parameter.grad = torch.zeros_like(parameter)
    return network, reference


@pytest.mark.parametrize("row", [0, 2])
@pytest.mark.parametrize("lengths", [[3, 3, 3], [5, 3, 4], [3]])
def test_equals_torch_row_by_row_and_in_gradients(row, lengths):
    network, reference = pair()
    x = torch.randn(len(lengths), max(lengths), DIM).double()
    weights = torch.randn(len(lengths), DIM).double()
    ends = torch.tensor(lengths)[:, None]
    mask = None if min(lengths) == max(lengths) else torch.arange(max(lengths)) < ends
    own, leaf = x.clone().requires_grad_(), x.clone().requires_grad_()
    got = network(own, row, mask)
    (got * weights).sum().backward()
    rows = [reference(leaf[i : i + 1, :length])[0, row] for i, length in enumerate(lengths)]
    (torch.stack(rows) * weights).sum().backward()
    torch.testing.assert_close(got, torch.stack(rows))
    torch.testing.assert_close(own.grad, leaf.grad)
    for name, parameter in reference.named_parameters():
        own_gradient = network.get_parameter(name).grad
        torch.testing.assert_close(own_gradient, parameter.grad, rtol=1e-10, atol=1e-12, msg=name)


def test_without_gradients_no_graph_is_made():
    network, _ = pair()
    with torch.no_grad():
        assert network(torch.randn(2, 3, DIM).double(), 0).grad_fn is None


def test_initial_values_are_those_of_torch():
    torch.manual_seed(5)
    expected = plain.transformer(DIM, HEADS).state_dict()
    torch.manual_seed(5)
    got = Transformer(DIM, HEADS, Arithmetic("float32")).state_dict()
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)
