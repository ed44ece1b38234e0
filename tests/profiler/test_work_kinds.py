"""Operations of a real step fall into the kinds that a reader expects."""

import pytest
import torch

from cnnbench.profiler.steps import WORK_KINDS, work_kind, work_shares
from zoo.layers import LocalResponseNorm

STEP = "autograd::engine::evaluate_function: "


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("aten::conv2d", "convolution"),
        (STEP + "ConvolutionBackward0", "convolution"),
        (STEP + "AddmmBackward0", "linear"),
        (STEP + "NativeBatchNormBackward0", "norm"),
        (STEP + "MaxPool2DWithIndicesBackward0", "pooling"),
        (STEP + "ReluBackward0", "activation"),
        (STEP + "_LocalResponseNormBackward", "LRN"),
        (STEP + "torch::autograd::AccumulateGrad", "optimizer"),
        ("Optimizer.step#SGD.step", "optimizer"),
        ("aten::cross_entropy_loss", "loss"),
        ("aten::_to_copy", "cast"),
        ("aten::flatten", "other"),
        ("data", "data"),
    ],
)
def test_an_operation_has_the_kind_that_its_name_says(operation, kind):
    assert work_kind(operation) == kind


def test_the_shares_of_a_trace_add_up_to_one_and_come_largest_first():
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), LocalResponseNorm(), torch.nn.ReLU())
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as trace:
        layers(torch.randn(2, 3, 16, 16)).sum().backward()
    shares = work_shares(trace.events(), on_device=False)
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert {"convolution", "LRN", "activation"} <= set(shares) <= set(WORK_KINDS)
