"""How do the weights move, and how fast at which progress?"""

from __future__ import annotations

import torch
from torch import nn

from cnnbench.schema.recipes import Recipe


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """Return SGD with momentum; weights decay, biases and BatchNorm's gains do not."""
    weights = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    fused = all(p.device.type in {"cpu", "cuda"} for p in model.parameters())
    return torch.optim.SGD(
        [group for group in groups if group["params"]],
        lr=recipe.lr,
        momentum=recipe.momentum,
        fused=fused,
    )


def lr_at(recipe: Recipe, progress: float) -> float:
    """Return the learning rate at a progress in [0, 1]: a short rise, then linear to zero.

    The line reaches zero exactly where the budget ends, whatever its currency (Li, Yumer and
    Ramanan, "Budgeted Training", ICLR 2020).
    """
    if progress < recipe.warmup:
        return recipe.lr * (progress / recipe.warmup * 0.9 + 0.1)
    return recipe.lr * (1.0 - progress) / (1.0 - recipe.warmup)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every parameter group the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr
