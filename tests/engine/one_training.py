"""Build, start and train networks for a few steps each; print one line a network.

`python one_training.py resnet18 timm:resnet18@64` prints as JSON the name, the loss of each step
and a digest of every weight. Tests run it in processes of their own.
"""

import hashlib
import json
import sys
import warnings

import torch

import zoo
from cnnbench.engine.data_dependent_init import standardise_outputs
from cnnbench.engine.device import Device
from cnnbench.engine.optim import make_optimizer
from cnnbench.engine.step import training_step
from cnnbench.schema.recipes import make_recipe

CPU = Device(torch_device=torch.device("cpu"), precision="fp32")
N_CLASSES, N_IMAGES, STEPS = 7, 4, 3


def train(name, image_size):
    torch.manual_seed(0)
    model = zoo.build(name, num_classes=N_CLASSES, init="common", image_size=image_size)
    model = model.to(memory_format=torch.channels_last).train()
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(N_IMAGES, 3, image_size, image_size, generator=generator)
    batch = images.contiguous(memory_format=torch.channels_last), torch.arange(N_IMAGES)
    standardise_outputs(model, batch[0], CPU)
    recipe = make_recipe("common", family="none", lr=1e-3, batch_size=N_IMAGES)
    optimizer = make_optimizer(model, recipe)
    losses = [training_step(model, optimizer, lambda: batch, CPU, lr=1e-3)[0] for _ in range(STEPS)]
    digest = hashlib.sha256()
    for value in model.state_dict().values():
        digest.update(value.contiguous().numpy().tobytes())
    return {"name": name, "losses": losses, "digest": digest.hexdigest()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # other libraries' own
    torch.set_num_threads(1)
    for word in sys.argv[1:]:
        name, _, size = word.partition("@")
        print(json.dumps(train(name, int(size or 64))), flush=True)
