"""How does a cell train the head of a network alone, on features that are computed once?"""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor, nn

from cnnbench.data.features import FeatureBatches
from cnnbench.engine.data_dependent_init import zero_heads
from cnnbench.engine.evaluate import Evaluation
from cnnbench.engine.head import FeatureScale, fold, last_layer, layer_inputs
from cnnbench.engine.state import Training
from cnnbench.runner.inputs import CellContext, Inputs, cut_batches
from cnnbench.schema.budget import Currency

__all__ = ["head_training"]


class FeaturesCostAll(ValueError):
    """A budget that ended before the head could be trained."""


def head_training(
    context: CellContext, inputs: Inputs, training: Training, *, resumed: bool
) -> Training:
    """Return the training of a linear layer on the features of the network of `training`.

    Each evaluation is of the whole network, with that layer as its last. Computing the features is
    charged, unless a `resumed` cell has paid for it already, and counts as one epoch: the network
    has seen each image once.

    Raises:
        NoSingleHead: the logits are not just the outputs of a last layer.
        FeaturesCostAll: the budget ended with the features.
    """
    device, network = context.device, training.model
    images, _ = training.batches.batch(0, 2)
    layer = last_layer(network, zero_heads(network, images, device), images, device)
    with context.clock.measure("build" if resumed else "train"):
        features, scale = _features(context, inputs, network, layer)
        labels = inputs.splits["train"].labels
        batches = FeatureBatches(
            features, labels, seed=context.cell.seed, device=device.torch_device
        )
    _require_rest(context)
    linear = nn.Linear(features.shape[1], len(inputs.dataset.classes), device=device.torch_device)
    for parameter in linear.parameters():
        nn.init.zeros_(parameter)

    def folded(evaluate: Callable[[], Evaluation]) -> Callable[[], Evaluation]:
        def evaluate_network() -> Evaluation:
            fold(layer, linear, scale)
            return evaluate()

        return evaluate_network

    sample = training.evaluate_sample
    return replace(
        training,
        model=linear,
        batches=batches,
        evaluate=folded(training.evaluate),
        evaluate_sample=None if sample is None else folded(sample),
        flops_per_image=3 * 2.0 * linear.weight.numel(),
        images_before=len(labels),
    )


def _features(
    context: CellContext, inputs: Inputs, network: nn.Module, layer: nn.Module
) -> tuple[Tensor, FeatureScale]:
    """Return what the training images give the last layer, scaled, `(N, D)`, and the scaling."""
    train = inputs.splits["train"]
    views = cut_batches(context, inputs, train.images, train.labels)
    features = layer_inputs(network, [layer], views, context.device)
    assert features is not None  # it has just given the logits
    scale = FeatureScale.over(features)
    return scale.scaled(features), scale


def _require_rest(context: CellContext) -> None:
    budget, charged = context.cell.budget, context.clock.charged
    if budget.currency is Currency.SECONDS and charged >= budget.limit:
        raise FeaturesCostAll(
            f"computing the features of the training images took {charged:.0f} s, the whole "
            f"budget of {budget}; give a larger --budget or a smaller --image-size"
        )
