"""Several views of an image are averaged as probabilities."""

import pytest
import torch
from torch import nn

from cnnbench.engine.device import Device
from cnnbench.engine.evaluate import evaluate, score
from cnnbench.engine.gallery import most_probable

CPU = Device(torch_device=torch.device("cpu"), precision="fp32")


class Echo(nn.Module):
    def forward(self, images):
        return images.flatten(1)


def view(*logits):
    return [(torch.tensor(logits).view(len(logits), -1, 1, 1), torch.zeros(len(logits)).long())]


def test_views_are_averaged_as_probabilities_and_not_as_logits():
    views = [view([0.0, 3.0]), view([1.0, 0.0]), view([1.0, 0.0])]
    evaluation = evaluate(Echo(), views, CPU)
    probabilities = torch.stack([v[0][0].flatten().softmax(0) for v in views]).mean(0)
    torch.testing.assert_close(torch.from_numpy(evaluation.logits).softmax(1)[0], probabilities)
    assert evaluation.correct == 1  # the mean of the logits would say the second class


def test_one_view_keeps_its_logits():
    evaluation = evaluate(Echo(), [view([0.5, 2.0])], CPU)
    assert evaluation.logits.tolist() == [[0.5, 2.0]]


@pytest.mark.parametrize("spread", [0.0, 0.1, 1.0])
def test_equal_logits_count_as_a_report_counts_them(spread):
    generator = torch.Generator().manual_seed(0)
    logits = (spread * torch.randn(2000, 12, generator=generator)).bfloat16().float()
    labels = torch.randint(0, 12, (2000,), generator=generator)
    evaluation = score(logits, labels)
    assert evaluation.correct == (evaluation.logits.argmax(axis=1) == evaluation.labels).sum()
    assert evaluation.correct <= evaluation.correct_top5 <= 2000
    guesses, _ = most_probable(evaluation.logits, 5)
    assert (guesses[:, 0] == evaluation.logits.argmax(axis=1)).all()
