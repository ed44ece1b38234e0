"""How do the weights move, and how fast at which progress?"""

import itertools
from collections.abc import Collection

import torch
from torch import nn

from cnnbench.schema.recipes import Recipe

__all__ = ["make_optimizer"]


def make_optimizer(
    model: nn.Module, recipe: Recipe, *, head: Collection[str] = ()
) -> torch.optim.SGD:
    """Return SGD with momentum, in groups: weights, and biases with BatchNorm's gains.

    Only weights decay, unless the recipe has biases decay too. `head` names the parameters that
    learn at the full rate; the others, the body, learn at the recipe's `body_lr` of it.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            kind = name in head, parameter.ndim > 1
            groups.setdefault(kind, []).append(parameter)
    fused = all(p.device.type in {"cpu", "cuda"} for p in model.parameters())
    return torch.optim.SGD(
        [
            {
                "params": groups[in_head, is_weight],
                "weight_decay": recipe.weight_decay if is_weight or recipe.bias_decay else 0.0,
                "lr_scale": (1.0 if is_weight else recipe.bias_lr)
                * (1.0 if in_head else recipe.body_lr),
            }
            for in_head, is_weight in itertools.product((False, True), (True, False))
            if (in_head, is_weight) in groups
        ],
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
