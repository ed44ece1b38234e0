"""What does a network that cnnbench kept say of its own weights, when another starts from them?"""

import json
from pathlib import Path

from pydantic import ValidationError

from zoo.weights.card import READER, BadWeights, WeightsCard


def card(name: str, document: Path) -> WeightsCard:
    """Return what cnnbench wrote beside a network that it kept.

    A mean that is a whole image is not one of three channels, and stays unknown here.
    """
    try:
        facts = json.loads(document.read_bytes())
        start = facts.get("start") or {}
        sets = [start.get("trained_on"), facts["dataset"]] if start else [facts["dataset"]]
        images = [start.get("trained_images") if start else 0, facts["train_images"]]
        return READER.validate_python(
            {
                "name": name,
                "sha256": facts["sha256"],
                "licence": start.get("licence"),
                "trained_on": ", then ".join(each or "an unknown set" for each in sets),
                "trained_images": None if None in images else sum(images),
                "num_classes": len(facts["classes"]),
                "mean": facts["mean"],
                "std": facts["std"],
                "image_size": facts["image_size"],
                "overlaps": (facts["dataset"],),
            }
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise BadWeights(
            f"{str(document)!r} does not say what cnnbench writes beside a kept network "
            f"({type(error).__name__}: {reason}); move the weights elsewhere to use them without it"
        ) from None
