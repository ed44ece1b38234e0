"""Into which kind of work do the operations of a training step fall?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

DATA = "data"

# The first kind with a word in the operation's name wins, so `conv` stands before `relu` would be
# asked. Names are those of the outermost operations in a trace of torch.profiler; backward ones
# look like "autograd::engine::evaluate_function: ConvolutionBackward0".
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (DATA, (DATA,)),
    ("optimizer", ("optimizer.", "accumulategrad")),
    ("LRN", ("localresponsenorm", "local_response_norm")),
    ("convolution", ("conv",)),
    ("linear", ("linear", "addmm", "matmul", "mmbackward", "tbackward", "aten::mm", "bmm")),
    ("norm", ("batch_norm", "batchnorm", "layer_norm", "layernorm", "group_norm", "groupnorm")),
    ("pooling", ("pool",)),
    ("dropout", ("dropout", "bernoulli")),
    (
        "activation",
        ("relu", "tanh", "sigmoid", "gelu", "silu", "hardtanh", "hardswish", "softplus", "clamp"),
    ),
    ("loss", ("cross_entropy", "nllloss", "nll_loss", "softmax")),
    ("join", ("aten::add", "addbackward", "aten::cat", "catbackward", "splitbackward")),
    ("cast", ("aten::to", "tocopy", "_to_copy")),
)
OTHER = "other"
KINDS = (*(kind for kind, _ in _WORDS), OTHER)


def kind_of(operation: str) -> str:
    """Return the kind of an operation from its name in a trace.

    >>> kind_of("autograd::engine::evaluate_function: ConvolutionBackward0")
    'convolution'
    """
    name = operation.lower()
    return next((kind for kind, words in _WORDS if any(word in name for word in words)), OTHER)


def shares(events: Iterable[Any], *, on_device: bool) -> dict[str, float]:
    """Share out the time of a trace's outermost operations; the largest share first.

    `events` are those of `torch.profiler.profile.events()`; `on_device` counts the time of the
    kernels on the accelerator instead of the time of the calls on the processor.
    """
    totals: dict[str, float] = {}
    for event in events:
        if event.cpu_parent is None:
            spent = event.device_time_total if on_device else event.cpu_time_total
            kind = kind_of(event.name)
            totals[kind] = totals.get(kind, 0.0) + spent
    whole = sum(totals.values())
    ordered = sorted(totals.items(), key=lambda item: -item[1])
    return {kind: spent / whole for kind, spent in ordered if spent > 0}
