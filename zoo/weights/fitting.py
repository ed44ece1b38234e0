"""Do weights belong to this network, and how do they get into it?

They do if the file has every tensor of the network in its size, under its own name or in its own
place. What may differ is what a new task replaces anyway: heads, and branches that help training.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor, nn

from cnnbench.base.words import plural
from zoo.registry import card, skeleton
from zoo.weights.card import BadWeights
from zoo.weights.tensors import quoted, read_tensors

__all__ = ["BadWeights", "Fit", "fit", "head_names", "load_start", "read_tensors"]

Tensors = Mapping[str, Tensor]
NO_KEYS: Mapping[str, str] = MappingProxyType({})

_MOST_LISTED = 3
_WRAPPERS = ("module.", "_orig_mod.", "model.")  # what parallel, compiled and wrapped networks add
_ROLES = ("weight", "bias", "running_mean", "running_var")
_BESIDE = (
    "mean_image",
)  # what cnnbench keeps beside weights that are given images less their mean


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """How weights lie in a network: the file's name of each tensor, by the network's own.

    `state` has a head only where it gives as many classes. `notes` say, a clause each, what of the
    network starts fresh and what of the file is not used.
    """

    state: Mapping[str, str]
    notes: tuple[str, ...]


@functools.cache
def head_names(network: str, *, num_classes: int, image_size: int) -> frozenset[str]:
    """Return the names of the tensors whose shape follows the number of classes.

    Those of auxiliary heads are among them, and so are buffers: LeNet-5's class codes.
    """
    here, wider = (
        skeleton(network, num_classes=count, image_size=image_size).state_dict()
        for count in (num_classes, num_classes + 1)
    )
    return frozenset(name for name in here if here[name].shape != wider[name].shape)


def fit(
    network: str,
    tensors: Tensors,
    *,
    num_classes: int,
    image_size: int,
    key_map: Mapping[str, str] = NO_KEYS,
) -> Fit:
    """Find each tensor of a network among those of a file; nothing is copied.

    They are matched by name, without what wrappers put in front, and with the beginnings that
    `key_map` translates. Where names differ and the numbers are equal they are matched in their
    order, and every size and kind has to agree.

    Raises:
        BadWeights: these are not weights of this network; the message lists the first differences.
    """
    size = {"num_classes": num_classes, "image_size": image_size}
    layout, heads = skeleton(network, **size).state_dict(), head_names(network, **size)
    pairs, notes = _pairs(layout, heads, tensors, key_map)
    misfits = [ours for ours, theirs in pairs.items() if not _fits(layout, tensors, ours, theirs)]
    fresh = [name for name in layout if name not in pairs and not _is_counter(name)]
    used = set(pairs.values())
    unused = [name for name in tensors if name not in used and not _is_counter(name)]

    missing = [name for name in fresh if not _may_differ(name, heads)]
    excess = [name for name in unused if not _may_be_unused(name, tensors[name])]
    wrong = {name: pairs[name] for name in misfits if not _may_differ(name, heads)}
    problems = [
        *_counted(missing, f"of {len(layout)} missing", map(quoted, missing)),
        *_counted(excess, f"of the {len(tensors)} in the file left over", map(quoted, excess)),
        *_counted(
            wrong, "different", (_compared(layout, tensors, *each) for each in wrong.items())
        ),
    ]
    if problems:
        advice = "" if missing or excess else _size_advice(network, num_classes, tensors, wrong)
        raise BadWeights(f"the weights do not fit {network}: {'; '.join(problems)}{advice}")
    state = {ours: theirs for ours, theirs in pairs.items() if ours not in misfits}
    replaced = {name: tensors[pairs[name]] for name in misfits if not _is_counter(name)}
    return Fit(state=state, notes=(*notes, *_notes(heads, replaced, fresh, unused)))


def load_start(
    model: nn.Module,
    network: str,
    tensors: Tensors,
    *,
    num_classes: int,
    image_size: int,
    key_map: Mapping[str, str] = NO_KEYS,
    with_head: bool = False,
) -> Fit:
    """Copy weights into a built network, but for its head, and return how they fit.

    `with_head` copies the head, too, where it gives as many classes. What is not copied stays as it
    was built.

    Raises:
        BadWeights: these are not weights of this network, which is then untouched.
    """
    size = {"num_classes": num_classes, "image_size": image_size}
    found = fit(network, tensors, key_map=key_map, **size)
    left_out = frozenset[str]() if with_head else head_names(network, **size)
    places = model.state_dict()
    state = {
        ours: tensors[theirs].reshape(places[ours].shape)
        for ours, theirs in found.state.items()
        if ours not in left_out
    }
    model.load_state_dict(state, strict=False)
    return found


# -- matching -------------------------------------------------------------------------------------


def _pairs(
    layout: Tensors, heads: frozenset[str], tensors: Tensors, key_map: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return the file's name of each of our tensors that has one, and how they were matched."""
    named = _by_our_names(tensors, layout, key_map)
    by_name = {ours: named[ours] for ours in layout if ours in named}
    ours = [name for name in layout if not _is_counter(name)]
    theirs = [name for name in tensors if not _is_counter(name)]
    is_whole = all(name in by_name or _may_differ(name, heads) for name in ours)
    if is_whole or len(ours) != len(theirs):
        return by_name, []
    note = "its tensors have other names, and were matched by their order and sizes"
    return dict(zip(ours, theirs, strict=True)), [note]


def _by_our_names(
    tensors: Iterable[str], layout: Tensors, key_map: Mapping[str, str]
) -> dict[str, str]:
    """Return the file's names by what the network may call them."""
    names, prefix = list(tensors), ""
    while names and not any(name.removeprefix(prefix) in layout for name in names):
        longer = [prefix + each for each in _WRAPPERS]
        common = [each for each in longer if all(name.startswith(each) for name in names)]
        if not common:
            break
        prefix = common[0]
    return {_translated(name.removeprefix(prefix), key_map): name for name in names}


def _translated(name: str, key_map: Mapping[str, str]) -> str:
    beginning = max((each for each in key_map if name.startswith(each)), key=len, default=None)
    return name if beginning is None else key_map[beginning] + name.removeprefix(beginning)


def _fits(layout: Tensors, tensors: Tensors, ours: str, theirs: str) -> bool:
    """Tell whether a tensor has the size and the kind of its place.

    A linear layer may be kept as a convolution over the whole map: the numbers are the same.
    """
    place, value = layout[ours], tensors[theirs]
    is_of_size = place.shape[:1] == value.shape[:1] and place.numel() == value.numel()
    is_of_kind = place.is_floating_point() == value.is_floating_point()
    return is_of_size and is_of_kind and _role(ours) == _role(theirs)


def _role(name: str) -> str:
    last = name.rpartition(".")[2]
    return last if last in _ROLES else ""


def _may_differ(name: str, heads: frozenset[str]) -> bool:
    return name in heads or _is_auxiliary(name) or _is_counter(name)


def _may_be_unused(name: str, value: Tensor) -> bool:
    return _is_auxiliary(name) or name in _BESIDE or not value.is_floating_point()


def _is_auxiliary(name: str) -> bool:
    """Tell whether a tensor is of a branch that only helps training, as GoogLeNet's are called."""
    return "aux" in name.lower()


def _is_counter(name: str) -> bool:
    """Tell whether a tensor counts batches; old files have none, and nothing here reads it."""
    return name.endswith("num_batches_tracked")


# -- words ----------------------------------------------------------------------------------------


def _counted(
    names: Sequence[str] | Mapping[str, str], what: str, details: Iterable[str]
) -> list[str]:
    """Say how many tensors are wrong in one way, and which are the first; nothing where none is."""
    return [f"{plural(len(names), 'tensor')} {what} ({_listed(details)})"] if names else []


def _listed(details: Iterable[str]) -> str:
    every = list(details)
    more = len(every) - _MOST_LISTED
    return ", ".join(every[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def _compared(layout: Tensors, tensors: Tensors, ours: str, theirs: str) -> str:
    there, here = tensors[theirs], layout[ours]
    return f"{quoted(theirs)} is {_size(there)} where {quoted(ours)} is {_size(here)}"


def _size(tensor: Tensor) -> str:
    kind = "" if tensor.is_floating_point() else " whole numbers"
    return ("x".join(map(str, tensor.shape)) or "one number") + kind


def _size_advice(network: str, num_classes: int, tensors: Tensors, wrong: Mapping[str, str]) -> str:
    """Name the image size of the paper where that would make all sizes agree."""
    native = card(network).image_size
    layout = skeleton(network, num_classes=num_classes, image_size=native).state_dict()
    fits = all(_fits(layout, tensors, ours, theirs) for ours, theirs in wrong.items())
    return f"; they are for images of another size, try --image-size {native}" if fits else ""


def _notes(
    heads: frozenset[str], replaced: Tensors, fresh: Sequence[str], unused: Sequence[str]
) -> list[str]:
    """Say what starts fresh, and what of the file is not used."""
    notes = []
    widths = {value.shape[0] for name, value in replaced.items() if name in heads and value.ndim}
    if widths:
        notes.append(f"the head of {' and '.join(map(str, sorted(widths)))} classes was replaced")
    if any(name in heads for name in fresh):
        notes.append("the file has no head, which starts fresh")
    branches = [name for name in (*replaced, *fresh) if name not in heads]
    if branches:
        notes.append(f"auxiliary branches start fresh: {_listed(map(quoted, branches))}")
    if unused:
        notes.append(f"not used: {_listed(map(quoted, unused))}")
    return notes
