"""How do several processes train one network, each on its part of every batch?

torch's DistributedDataParallel adds up the gradients. All else that the processes tell each other
goes through here. What the first of them says, and answers, are tensors on the host, whose backend
(gloo) fails at once where a neighbour is gone.
"""

import contextlib
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from cnnbench.base.digests import digest_of

__all__ = ["ALONE", "Ranks", "has_lost_neighbour", "join_ranks"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranks:
    """Which of how many processes this one is, of those that train one network together.

    With a `seed` all random generators are seeded anew at each step, so that no rank's state has to
    be saved; None leaves them to the loop, which keeps the state of its only process.
    """

    rank: int = 0
    count: int = 1
    seed: int | None = None

    @property
    def is_first(self) -> bool:
        """Whether this process decides, and writes what the cell leaves."""
        return self.rank == 0

    def part(self, start: int, size: int) -> tuple[int, int]:
        """Return where this rank's part of `size` positions from `start` on begins, and its size.

        The parts of all ranks follow each other; the first ones are larger by one where they must.

        >>> [Ranks(rank=rank, count=3).part(100, 8) for rank in range(3)]
        [(100, 3), (103, 3), (106, 2)]
        """
        small, larger = divmod(size, self.count)
        before = self.rank * small + min(self.rank, larger)
        return start + before, small + (self.rank < larger)

    def reseed(self, step: int) -> None:
        """Seed every generator of this process for a step, where that is how they are kept."""
        if self.seed is not None:
            torch.manual_seed(int(digest_of([self.seed, self.rank, step]), 16))

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Return what takes the steps: the model, or what adds up the ranks' gradients around it.

        BatchNorm's running statistics are those of the first rank, which every rank takes over
        before each step (torch's default); so a continued training goes on with the same bits.
        """
        if self.count == 1:
            return model
        return DistributedDataParallel(
            model, device_ids=[device] if device.type == "cuda" else None
        )

    def passes(self, learner: nn.Module, *, is_last: bool) -> AbstractContextManager[None]:
        """Return the context of one pass of several: gradients travel after the last one only."""
        if isinstance(learner, DistributedDataParallel) and not is_last:
            no_sync: AbstractContextManager[None] = learner.no_sync()
            return no_sync
        return contextlib.nullcontext()

    def summed(self, values: Tensor) -> Tensor:
        """Return the sum of a tensor over all ranks; each gives one of the same shape."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def first_says(self, value: float) -> float:
        """Return the value that the first rank gives."""
        if self.count == 1:
            return value
        said = torch.tensor(value, dtype=torch.float64)
        distributed.broadcast(said, 0)
        return float(said)

    def take_buffers(self, model: nn.Module) -> None:
        """Take over the first rank's buffers, such as BatchNorm's running statistics."""
        if self.count > 1:
            with torch.no_grad():
                for buffer in model.buffers():
                    distributed.broadcast(buffer, 0)

    def joined(self, *parts: Tensor) -> tuple[Tensor, ...]:
        """Return tensors of the host whose rows are those of all ranks, in the ranks' order.

        The parts of one rank, `(N,)` or `(N, C)`, have as many rows each; a rank may have none.
        """
        if self.count == 1:
            return parts
        rows = torch.zeros(self.count, dtype=torch.int64)
        rows[self.rank] = len(parts[0])
        distributed.all_reduce(rows)
        start, total = int(rows[: self.rank].sum()), int(rows.sum())
        return tuple(_placed(part, start, total) for part in parts)


ALONE = Ranks()


def _placed(part: Tensor, start: int, total: int) -> Tensor:
    """Add up tensors of all rows, in which each rank filled in its own: zeros change nothing."""
    columns = torch.tensor(part.shape[1:].numel())
    distributed.all_reduce(columns, distributed.ReduceOp.MAX)  # a rank without rows knows none
    whole = torch.zeros(total, int(columns), dtype=part.dtype)
    whole[start : start + len(part)] = part.reshape(len(part), int(columns))
    distributed.all_reduce(whole)
    return whole if part.ndim > 1 else whole[:, 0]


def join_ranks(device: torch.device, *, seed: int) -> Ranks:
    """Meet the other processes that torchrun started for the same network; say who this one is."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    return Ranks(rank=distributed.get_rank(), count=distributed.get_world_size(), seed=seed)


def has_lost_neighbour(error: BaseException) -> bool:
    """Tell whether an error means that another rank is gone, and nothing of this one's own.

    gloo's errors are plain ones that name its source file; NCCL's and the store's have a class.
    """
    return isinstance(error, distributed.DistError) or "gloo/" in str(error)


def bare(learner: nn.Module) -> nn.Module:
    """Return the network itself, without what adds up its gradients."""
    return learner.module if isinstance(learner, DistributedDataParallel) else learner
