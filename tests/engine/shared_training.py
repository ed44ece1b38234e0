"""Be one of some processes that train a small network together; print as JSON what came of it.

`python shared_training.py STORE COUNT RANK [micro|auxiliary|batchnorm] [all] [stopped] [cuda]`: the
processes meet in a file. `all` takes BatchNorm's statistics over all ranks, `stopped` trains in two
goes, `cuda` has a GPU for each. Tests run it in processes of their own.
"""

import hashlib
import json
import math
import sys

import torch
from torch import distributed, nn

from cnnbench.engine.clock import Clock
from cnnbench.engine.device import Device
from cnnbench.engine.evaluate import evaluate
from cnnbench.engine.ranks import Ranks
from cnnbench.engine.state import Training
from cnnbench.engine.train import Scored, train
from cnnbench.schema.budget import Budget
from cnnbench.schema.events import Stepped
from cnnbench.schema.recipes import make_recipe

N_IMAGES, N_CLASSES, N_TEST = 40, 3, 37


class TwoHeads(nn.Module):
    aux_weights = (0.5,)

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten())
        self.main, self.side = nn.Linear(216, N_CLASSES), nn.Linear(216, N_CLASSES)

    def forward(self, images):
        features = self.body(images)
        return (self.main(features), self.side(features)) if self.training else self.main(features)


class Stream:
    epoch_images = N_IMAGES

    def batch(self, start, size):
        places = torch.arange(start, start + size) % N_IMAGES
        return tuple(values[places].to(DEVICE) for values in DATA)


def evaluated_batches(ranks):
    first, count = ranks.part(0, math.ceil(N_TEST / 8))
    for start in range(first * 8, min((first + count) * 8, N_TEST), 8):
        yield tuple(values[start : min(start + 8, N_TEST)].to(DEVICE) for values in TEST)


def normalised():
    layers = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, nn.Linear(216, N_CLASSES))


def a_training(words, ranks, should_stop=lambda: False):
    torch.manual_seed(0)
    model = (normalised() if "batchnorm" in words else TwoHeads()).to(DEVICE)
    if "auxiliary" not in words and "batchnorm" not in words:
        model.aux_weights = (0.0,)
    if "all" in words and ranks.count > 1:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    device = Device(torch_device=DEVICE, precision="fp32")
    return Training(
        model=model,
        batches=Stream(),
        evaluate=lambda: evaluate(model, [evaluated_batches(ranks)], device, ranks),
        recipe=make_recipe("common", family="none", lr=0.05, batch_size=8),
        budget=Budget.parse("69img"),
        device=device,
        clock=Clock(),
        params=1,
        macs=1,
        flops_per_image=1.0,
        evaluations=9,
        curve_split="test",
        curve_is_headline=True,
        checkpoint_seconds=math.inf,
        micro_batch=3 if "micro" in words else None,
        ranks=ranks,
        should_stop=should_stop,
    )


def stopped_state(words, ranks, path):
    """Return what the first rank had after four steps, where it alone was asked to stop."""
    asked = iter([False] * 3 + [ranks.is_first])
    last = list(train(a_training(words, ranks, lambda: next(asked))))[-1]
    if ranks.is_first:
        torch.save(last.state(), path)
    distributed.barrier()
    return torch.load(path, weights_only=True)


def main():
    store, count, rank, *words = sys.argv[1:]
    torch.set_num_threads(1)
    ranks = Ranks(rank=int(rank), count=int(count), seed=0)
    if ranks.count > 1:
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if "cuda" in words else "gloo",
            init_method=f"file://{store}",
            rank=ranks.rank,
            world_size=ranks.count,
        )
    checkpoint = stopped_state(words, ranks, f"{store}.pt") if "stopped" in words else None
    training = a_training(words, ranks)
    torch.rand(ranks.rank + 1)  # whatever was drawn before
    events = list(train(training, checkpoint=checkpoint))
    scored = [event for event in events if isinstance(event, Scored)]
    stepped = [event for event in events if isinstance(event, Stepped)]
    weights = torch.cat([each.detach().flatten().cpu() for each in training.model.parameters()])
    said = {
        "losses": [each.event.train_loss for each in scored],
        "correct": sum(round(each.train_top1 * each.images) for each in stepped),
        "evaluation": [scored[-1].event.loss, scored[-1].event.correct],
        "digest": hashlib.sha256(weights.numpy().tobytes()).hexdigest(),
        "weights": weights[::7].tolist(),
        "buffers": [buffer.flatten().tolist() for buffer in training.model.buffers()],
    }
    print(json.dumps(said))


if __name__ == "__main__":
    generator = torch.Generator().manual_seed(1)
    DATA = torch.randn(N_IMAGES, 3, 8, 8, generator=generator), torch.arange(N_IMAGES) % N_CLASSES
    TEST = torch.randn(N_TEST, 3, 8, 8, generator=generator), torch.arange(N_TEST) % N_CLASSES
    DEVICE = torch.device("cuda", int(sys.argv[3])) if "cuda" in sys.argv else torch.device("cpu")
    main()
