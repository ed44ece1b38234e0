"""What must whoever uses an exported network know of it? Its model card, in Markdown."""

from collections.abc import Iterator

from cnnbench.report.analysis.choice import Choice
from cnnbench.report.text.escape import escape_markdown
from cnnbench.report.text.wording import join_and, percent, plural, scaled, significant, span
from cnnbench.schema.kept import MEAN_IMAGE, KeptNetwork, OnnxCheck, Speed

__all__ = ["model_card"]

_USE_ONNX = """\
from pathlib import Path

import onnxruntime

labels = Path("labels.txt").read_text("utf-8").splitlines()
session = onnxruntime.InferenceSession("model.onnx")
(logits,) = session.run(["logits"], {"images": prepare("photo.jpg")})
print(labels[logits.argmax()])
"""
_USE_SAFETENSORS = """\
from pathlib import Path

import torch
from safetensors.torch import load_file

import zoo  # of cnnbench

labels = Path("labels.txt").read_text("utf-8").splitlines()
network = zoo.build({model!r}, num_classes=len(labels), image_size={size}, init={init!r}).eval()
state = load_file("model.safetensors")
{drop}network.load_state_dict(state)
print(labels[network(torch.from_numpy(prepare("photo.jpg"))).argmax()])
"""


def model_card(
    choice: Choice, kept: KeptNetwork, speed: Speed, check: OnnxCheck | None, *, prepare: str
) -> str:
    """Return the card of an exported network; without a `check` it was not exported to ONNX.

    `prepare` is the code of a function of that name that makes an input of a file.
    """
    name = escape_markdown(choice.label)
    lines = [
        f"# {name}, trained on {escape_markdown(kept.dataset_title)}",
        "",
        f"It tells {plural(len(kept.classes), 'class', 'classes')} apart; `labels.txt` has their "
        "names, a line each, in the order of the logits.",
        "",
        "| | |",
        "| :--- | :--- |",
        *(f"| {title} | {escape_markdown(text)} |" for title, text in _facts(choice, kept, speed)),
        "",
        *_notes(kept, check),
        "## Inputs",
        "",
        "`preprocessing.json` says how an image file becomes an input. In Python, to within two "
        "levels of 255 for photos of 8 bits:",
        "",
        f"```python\n{prepare}```",
        "",
        "## Use",
        "",
        f"```python\n{_use(kept, is_onnx=check is not None)}```",
    ]
    return "\n".join(lines) + "\n"


def _facts(choice: Choice, kept: KeptNetwork, speed: Speed) -> Iterator[tuple[str, str]]:
    right = f"{kept.correct} of {kept.test_images} {kept.split} images right"
    yield (
        "accuracy",
        f"{percent(kept.top1)} % ({right}); 95 % interval {span(kept.top1_low, kept.top1_high)} %",
    )
    yield "cannot be told from", _tied(choice)
    part = "the last layer alone" if kept.train == "head" else "all of it"
    yield (
        "training",
        f"{part}, by the recipe {kept.recipe}, budget {kept.planned_budget}, seed {kept.seed}",
    )
    yield "began with", _start(kept)
    yield (
        "data",
        f"{kept.dataset}: {kept.dataset_title}; {plural(kept.train_images, 'image')} to train, "
        f"fingerprint {kept.dataset_fingerprint[:8]}",
    )
    yield (
        "size",
        f"{scaled(kept.params, 1e6)} M parameters, {scaled(kept.macs, 1e9)} G multiply-adds an "
        f"image of {kept.image_size} pixels",
    )
    yield "speed", _speed(speed)
    versions = kept.origin.versions or {}
    yield "made with", ", ".join(f"{each} {version}" for each, version in versions.items())


def _tied(choice: Choice) -> str:
    if choice.tied is None:
        return "not known: the networks of its run were trained on unlike machines"
    tied = join_and(choice.tied) if choice.tied else "no other network of its run"
    return f"{tied}, on these images"


def _start(kept: KeptNetwork) -> str:
    """Return with what a network began, and under which licence that stands."""
    start = kept.start
    if start is None:
        return "nothing: trained from scratch"
    return (
        f"the weights {start.source}, trained on {start.earlier_training} "
        f"(licence {start.licence or 'not stated'}, sha256 {start.sha256[:8]})"
    )


def _speed(speed: Speed) -> str:
    one, low, high = (
        significant(each)
        for each in (speed.one_image_ms, speed.one_image_ms_5, speed.one_image_ms_95)
    )
    return (
        f"{significant(speed.images_per_second)} images/s over {speed.images} files in batches of "
        f"{speed.batch_size}; one file {one} ms (5 to 95 %: {low} to {high}); by cnnbench predict, "
        f"with decoding ({speed.files}), on {speed.machine}, {plural(speed.threads, 'thread')}"
    )


def _notes(kept: KeptNetwork, check: OnnxCheck | None) -> Iterator[str]:
    """Yield what was checked, and where the files do something else than the run did."""
    if check:
        yield (
            f"onnxruntime gives the network's own class on each of the {check.images} images that "
            f"it was tested on; no logit differs by more than {check.largest_difference:.2g}. On "
            f"{check.same_as_run} of them it is also the class that the run wrote down"
            f"{_why_not_all(kept)}."
        )
        yield ""
    if kept.views > 1:
        yield (
            f"The accuracy is that of {kept.views} crops of each image, averaged; the code below "
            "makes the central one."
        )
        yield ""


def _why_not_all(kept: KeptNetwork) -> str:
    reasons = [f"computed in {kept.precision}"] if kept.precision != "fp32" else []
    reasons += [f"over {kept.views} crops"] if kept.views > 1 else []
    return f", which {join_and(reasons)}" if reasons else ""


def _use(kept: KeptNetwork, *, is_onnx: bool) -> str:
    if is_onnx:
        return _USE_ONNX
    drop = f'del state["{MEAN_IMAGE}"]\n' if kept.mean is None else ""
    return _USE_SAFETENSORS.format(
        model=kept.model, size=kept.image_size, init=kept.init, drop=drop
    )
