"""Can a network be trained on such images, so many at once, and is it normalised?

Networks of other libraries come without a card that says so. Their layout is asked instead: a batch
passes through it on the meta device, where shapes are worked out and nothing is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnbench.base.words import first_line
from zoo.cards import CannotBuild, ModelCard

if TYPE_CHECKING:
    from torch import nn

__all__ = ["is_normalised", "require_trainable"]

# By name, since every library has an RMSNorm and a channel-first LayerNorm of its own.
_NORMS = (
    *("batchnorm", "layernorm", "groupnorm", "rmsnorm", "instancenorm"),
    *("evonorm", "filterresponsenorm", "simplenorm"),
)


def is_normalised(model: nn.Module) -> bool:
    """Tell whether layers of a network normalise, over the batch or over one image."""
    kinds = {base.__name__.lower() for module in model.modules() for base in type(module).__mro__}
    return any(norm in kind for kind in kinds for norm in _NORMS)


def require_trainable(
    model: nn.Module, card: ModelCard, *, num_classes: int, image_size: int, n_images: int
) -> None:
    """Pass two images through a layout in training and in evaluation, and one if `n_images` is 1.

    `model` is on the meta device.

    Raises:
        CannotBuild: it does not take such images, or what it gives are no logits.
    """
    try:
        outputs = _outputs(model, 2, image_size)
    except Exception as error:  # what another library raises, nobody knows
        own = card.image_size
        other = f"it was designed for {own}; " if own != image_size else ""
        raise CannotBuild(
            f"{card.name} cannot take images of {image_size} pixels ({first_line(error)[:200]}); "
            f"{other}choose another --image-size or network"
        ) from None
    _require_logits(card.name, outputs, (2, num_classes))
    if n_images == 1:
        try:
            _outputs(model, 1, image_size)
        except Exception as error:
            raise CannotBuild(
                f"{card.name} cannot be trained on one image of {image_size} pixels at a time "
                f"({first_line(error)[:200]}); take two images or more (--batch-size, --budget), "
                "or larger ones (--image-size)"
            ) from None


def _require_logits(name: str, outputs: list[Any], shape: tuple[int, int]) -> None:
    for output in outputs:
        if getattr(output, "shape", None) != shape:
            raise CannotBuild(
                f"{name} is no classifier of images: for {shape[0]} images and {shape[1]} "
                f"classes it gives {_described(output)}; choose another network"
            )


def _outputs(model: nn.Module, n_images: int, image_size: int) -> list[Any]:
    """Return the outputs of training, auxiliary ones last, and that of evaluation."""
    import torch

    images = torch.zeros(n_images, 3, image_size, image_size, device="meta")
    with torch.no_grad(), torch.device("meta"):
        training, evaluation = model.train()(images), model.eval()(images)
    model.train()
    n_heads = 1 + len(getattr(model, "aux_weights", ()))
    is_many = isinstance(training, tuple) and len(training) == n_heads > 1
    return [*(training if is_many else [training]), evaluation]


def _described(output: object) -> str:
    shape = getattr(output, "shape", None)
    return f"a {type(output).__name__}" if shape is None else f"a tensor of shape {tuple(shape)}"
