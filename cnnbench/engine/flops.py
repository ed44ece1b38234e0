"""How many floating-point operations does one training image cost?"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def training_flops_per_image(skeleton: nn.Module, *, image_size: int) -> float:
    """Count forward and backward of a network on the meta device, two FLOPs a multiply-add.

    `torch.utils.flop_counter` counts convolutions and matrix products; normalisation, pooling,
    activations and the optimizer are not counted.
    """
    images = torch.zeros(2, 3, image_size, image_size, device="meta")
    skeleton.train()
    with FlopCounterMode(display=False) as counter:
        output = skeleton(images)
        outputs = (output,) if isinstance(output, Tensor) else output
        total = sum((logits.sum() for logits in outputs), torch.zeros((), device="meta"))
        total.backward()
    return float(counter.get_total_flops()) / 2
