"""How do the weights move, and how fast at which progress?"""

import torch
from torch import nn

from cnnbench.schema.recipes import Recipe

__all__ = ["make_optimizer"]


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """Return SGD with momentum over two groups: weights, then biases and BatchNorm's gains.

    Only weights decay, unless the recipe has biases decay too.
    """
    weights = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": recipe.weight_decay, "lr_scale": 1.0},
        {
            "params": others,
            "weight_decay": recipe.weight_decay if recipe.bias_decay else 0.0,
            "lr_scale": recipe.bias_lr,
        },
    ]
    fused = all(p.device.type in {"cpu", "cuda"} for p in model.parameters())
    return torch.optim.SGD(
        [group for group in groups if group["params"]],
        lr=recipe.lr,
        momentum=recipe.momentum,
        fused=fused,
    )


def lr_at(recipe: Recipe, progress: float) -> float:
    """Return the learning rate at a progress in [0, 1].

    `linear` rises for a short while and falls in a straight line to zero, exactly where the
    budget ends, whatever its currency (Li, Yumer and Ramanan, "Budgeted Training", ICLR 2020).
    `steps` is multiplied by `drop_factor` at each of the recipe's drops.
    """
    if recipe.schedule == "steps":
        passed = sum(progress >= drop for drop in recipe.drops)
        return recipe.lr * recipe.drop_factor**passed
    if progress < recipe.warmup:
        return recipe.lr * (progress / recipe.warmup * 0.9 + 0.1)
    return recipe.lr * (1.0 - progress) / (1.0 - recipe.warmup)


def set_lr(optimizer: torch.optim.Optimizer, lr: float, *, velocity: bool = False) -> None:
    """Give every parameter group the learning rate, times the group's own scale.

    With `velocity` the momentum buffers are scaled by old / new rate, which turns torch's momentum
    into the papers': theirs keeps `lr * gradient`, torch's the gradient alone.
    """
    for group in optimizer.param_groups:
        old, new = group["lr"], lr * group["lr_scale"]
        if velocity and old != new:
            for weights in group["params"]:
                buffer = optimizer.state.get(weights, {}).get("momentum_buffer")
                if buffer is not None:
                    buffer.mul_(old / new)
        group["lr"] = new
