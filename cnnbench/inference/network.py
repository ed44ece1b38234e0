"""What does a kept network say of an image file? The same pixels go in as when it was tested."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

import zoo
from cnnbench.base.processes import in_threads
from cnnbench.data import Progress
from cnnbench.data.loader import evaluation_batches
from cnnbench.data.pixels.decode import DECODE_VERSION, BrokenImage, decode_square
from cnnbench.engine.device import Device, prepare_device
from cnnbench.engine.evaluate import EVALUATION_BATCH_SIZE, evaluate
from cnnbench.engine.hardware import choose_device, detect, machine_line
from cnnbench.schema.kept import MEAN_IMAGE, KeptNetwork
from cnnbench.store import CellFolder, StoreError

__all__ = ["LoadedNetwork", "Prediction", "load_network"]

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prediction:
    """What a network says of one file; `reason` is why there is no answer.

    `logits` is float32 `(C,)` in the order of `classes`, None where the file could not be read.
    """

    path: Path
    classes: tuple[str, ...]
    logits: Floats | None = None
    reason: str = ""

    @property
    def probabilities(self) -> npt.NDArray[np.float64] | None:
        """The softmax of the logits, `(C,)`."""
        if self.logits is None:
            return None
        powers = np.exp(self.logits.astype(np.float64) - self.logits.max())
        return np.asarray(powers / powers.sum())

    def top(self, count: int = 1) -> list[tuple[str, float]]:
        """Return the most probable classes with their probabilities, of equal ones the first."""
        chances = self.probabilities
        if chances is None:
            return []
        places = np.argsort(-chances, kind="stable")[:count]
        return [(self.classes[place], float(chances[place])) for place in places]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LoadedNetwork:
    """A kept network that is ready: its `model` is in evaluation mode on its `device`.

    `kept` is what is known of it. `mean` is what is subtracted from pixels in [0, 1]: a value a
    channel, or a whole image `(H, W, 3)`.
    """

    model: nn.Module
    kept: KeptNetwork
    device: Device
    mean: npt.ArrayLike

    @property
    def notices(self) -> tuple[str, ...]:
        """What is not as it was when the network was tested."""
        kept, here = self.kept, self.device.torch_device.type
        said = []
        if here != kept.device:
            said.append(f"trained on {kept.device}, which is not here; this is on {here}")
        if kept.decode_version != DECODE_VERSION:
            said.append(
                f"the images it was tested on were read by rules {kept.decode_version}, these are "
                f"by rules {DECODE_VERSION}: some pixels differ"
            )
        return tuple(said)

    def predict(
        self,
        paths: Iterable[str | Path],
        *,
        batch_size: int = EVALUATION_BATCH_SIZE,
        progress: Progress | None = None,
    ) -> list[Prediction]:
        """Return what the network says of each file, in their order.

        In the batches and with the threads of the run the logits of its test images are the run's
        own, bit for bit. Another batch size may move their last digits. `progress` counts files.
        """
        files = [Path(path) for path in paths]
        reasons: dict[int, str] = {}
        logits: dict[int, Floats] = {}
        squares = self._squares(files, reasons)
        while batch := list(islice(squares, batch_size)):
            images = np.stack([square for _, square in batch])
            for (place, _), row in zip(batch, self.logits_of(images), strict=True):
                logits[place] = row
            if progress is not None:
                progress(len(logits) + len(reasons), len(files))
        return [
            Prediction(
                path=path,
                classes=self.kept.classes,
                logits=logits.get(place),
                reason=reasons.get(place, ""),
            )
            for place, path in enumerate(files)
        ]

    def _squares(
        self, files: Sequence[Path], reasons: dict[int, str]
    ) -> Iterator[tuple[int, Bytes]]:
        """Yield each readable image with its place; note why the others are not."""
        for place, read in enumerate(in_threads(self._read, files)):
            if isinstance(read, str):
                reasons[place] = read
            else:
                yield place, read

    def _read(self, path: Path) -> Bytes | str:
        """Return an image as the run decoded its own, or the reason why it cannot be read."""
        kept = self.kept
        try:
            if path.exists() and not path.is_file():
                return "not a file"
            return decode_square(path, kept.stored_size, max_megapixels=kept.max_megapixels)
        except BrokenImage as error:
            return error.reason
        except OSError as error:
            return error.strerror or str(error)

    def inputs_of(self, images: Bytes, *, view: int = 0) -> Tensor:
        """Return stored squares `(N, S, S, 3)` as the float32 inputs `(N, 3, H, W)` of a view."""
        return next(self._batches(images, view))[0]

    def logits_of(self, images: Bytes) -> Floats:
        """Return the logits `(N, C)` of stored squares `(N, S, S, 3)`, all in one batch."""
        views = [self._batches(images, view) for view in range(self.kept.views)]
        return evaluate(self.model, views, self.device).logits

    def _batches(self, images: Bytes, view: int) -> Iterator[tuple[Tensor, Tensor]]:
        unknown = np.zeros(len(images), dtype=np.int64)
        return evaluation_batches(
            images,
            unknown,
            len(images),
            image_size=self.kept.image_size,
            mean=self.mean,
            std=self.kept.std,
            view=view,
            device=self.device.torch_device,
        )


def load_network(folder: CellFolder) -> LoadedNetwork:
    """Load the network that a cell kept, on the device it was trained on or else on the processor.

    The process is set up as for training, with as many threads as the cell had on this machine.

    Raises:
        StoreError: if none was kept, or this cnnbench builds another network by its name.
        DamagedError: if it is not what was kept.
    """
    kept = folder.kept()
    if kept is None:
        raise StoreError(f"no network was kept in {folder.path}")
    state = folder.weights(kept)
    word = _device_here(kept.device)
    device = Device(torch_device=torch.device(word), precision=kept.precision)
    is_same_machine = kept.origin.machine == machine_line(detect(), word)
    prepare_device(device, threads=kept.origin.threads if is_same_machine else None)
    image = state.pop(MEAN_IMAGE, None)
    mean = kept.mean if image is None else image.numpy()
    assert mean is not None
    model = _built(kept, state).to(device.torch_device).to(memory_format=torch.channels_last)
    return LoadedNetwork(model=model.eval(), kept=kept, device=device, mean=mean)


def _device_here(trained_on: str) -> str:
    try:
        return choose_device(trained_on, detect())
    except ValueError:
        return "cpu"


def _built(kept: KeptNetwork, state: dict[str, Tensor]) -> nn.Module:
    """Return the network with its weights; the caller's random numbers stay as they are."""
    with torch.random.fork_rng(devices=[]):
        model = zoo.build(
            kept.model,
            num_classes=len(kept.classes),
            init=kept.init,
            image_size=kept.image_size,
        )
    try:
        model.load_state_dict(state)
    except RuntimeError:  # names or sizes differ
        wrote = (kept.origin.versions or {}).get("cnnbench", "another version")
        raise StoreError(
            f"the kept network is not the {kept.model} that this cnnbench builds; use the cnnbench "
            f"that kept it, {wrote}"
        ) from None
    return model
