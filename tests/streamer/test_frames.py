"""Frame encoder and decoder against the plain networks and their autograd."""

import pytest
import torch

from streamer.arithmetic import Arithmetic
from streamer.config import StreamerConfig
from streamer.frames import FrameDecoder, FrameEncoder
from tests.plain import modules as plain

CONFIG = StreamerConfig(feature_dim=16, frame_size=32, channels=(4, 6, 8, 10))


def make(kind, reference):
    """A network in float64 with the reference's parameters, whose gradients start at zero."""
    torch.manual_seed(0)
    network = kind(CONFIG, Arithmetic("float64")).double()
    network.load_state_dict(reference.state_dict())
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    return network


def assert_same_gradients(network, reference):
    for name, parameter in reference.named_parameters():
        own = network.get_parameter(name).grad
        torch.testing.assert_close(own, parameter.grad, rtol=1e-10, atol=1e-12, msg=name)


@pytest.mark.parametrize("n", [1, 3, 19])
def test_encoder_equals_the_plain_one(n):
    reference = plain.FrameEncoder(CONFIG).double()
    encoder = make(FrameEncoder, reference)
    frames, weights = torch.randn(n, 3, 32, 32).double(), torch.randn(n, 16).double()
    expected = reference(frames)
    (expected * weights).sum().backward()
    with torch.no_grad():
        features, activations = encoder(frames)
        encoder.add_gradients(activations, weights)
    torch.testing.assert_close(features, expected)
    assert_same_gradients(encoder, reference)


@pytest.mark.parametrize("n", [1, 3, 19])
def test_decoder_equals_the_plain_one(n):
    reference = plain.FrameDecoder(CONFIG).double()
    decoder = make(FrameDecoder, reference)
    hidden, weights = torch.randn(n, 16).double(), torch.randn(n, 3, 32, 32).double()
    leaf = hidden.clone().requires_grad_()
    expected = reference(leaf)
    (expected * weights).sum().backward()
    with torch.no_grad():
        frames, activations = decoder(hidden)
        gradient = decoder.add_gradients(hidden, activations, weights)
    torch.testing.assert_close(frames, expected)
    torch.testing.assert_close(gradient, leaf.grad)
    assert_same_gradients(decoder, reference)


def test_gradients_of_rows_add_up_whatever_their_batches():
    reference = plain.FrameEncoder(CONFIG).double()
    whole, parts = make(FrameEncoder, reference), make(FrameEncoder, reference)
    frames, weights = torch.randn(7, 3, 32, 32).double(), torch.randn(7, 16).double()
    with torch.no_grad():
        _, activations = whole(frames)
        whole.add_gradients(activations, weights)
        for rows in (torch.tensor([6, 0, 2]), torch.tensor([1, 5]), torch.tensor([3, 4])):
            parts.add_gradients([column[rows] for column in activations], weights[rows])
    for one, other in zip(parts.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-10, atol=1e-12)


def test_a_changed_kernel_is_used_once_the_change_is_told():
    arithmetic = Arithmetic("float64")
    decoder = FrameDecoder(CONFIG, arithmetic).double()
    hidden = torch.randn(2, 16).double()
    with torch.no_grad():
        before, _ = decoder(hidden)
        decoder.conv1.weight.mul_(2)
        arithmetic.parameters_changed()
        after, _ = decoder(hidden)
    assert not torch.allclose(before, after)
