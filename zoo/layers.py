"""How are the layers computed that several papers share and torch does not offer as published?

Local response normalisation follows Krizhevsky, Sutskever, Hinton (2012), section 3.3:

    b_i = a_i / (k + alpha * sum of a_j^2 over j in [i - n//2, i + n//2])^beta

The sum stops at the first and last channel, and alpha multiplies the plain sum. torch, Caffe and
the 2012 code divide alpha by n: `F.local_response_norm(x, 5, alpha=5e-4)` is the paper's
alpha = 1e-4.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Elements a block holds, so that its few scratch buffers stay in cache between the elementwise
# passes. Larger blocks fall out of cache, smaller ones pay for starting threads.
_BLOCK_ELEMENTS = 1 << 19

_LARGEST_SIDE_TRIED = 512


class LocalResponseNorm(nn.Module):
    """Divide each activation by a power of the energy of its neighbours in channel order.

    Takes and returns `(N, C, H, W)`. The arguments bear the paper's letters, and alpha multiplies
    the sum as in the paper; pass `alpha / n` for code that averages. `groups` splits the channels
    into equal runs that do not see each other, as two towers on two devices do.
    """

    def __init__(
        self,
        *,
        n: int = 5,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 2.0,
        groups: int = 1,
    ) -> None:
        super().__init__()
        if n < 1 or n % 2 == 0:
            raise ValueError(f"n must be odd and positive, so that the window is centred; not {n}")
        self.n, self.alpha, self.beta, self.k, self.groups = n, alpha, beta, k, groups

    @property
    def small_signal_gain(self) -> float:
        """The factor that activations far below one are multiplied by: k^-beta."""
        return float(self.k**-self.beta)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `(N, C, H, W)`; dtype and memory format are kept."""
        if torch.compiler.is_exporting():  # a graph for other programs holds plain operations
            return self._in_plain_operations(x)
        return local_response_norm(
            x, n=self.n, alpha=self.alpha, beta=self.beta, k=self.k, groups=self.groups
        )

    def _in_plain_operations(self, x: Tensor) -> Tensor:
        """Return the same by torch's own function, which divides alpha by n."""
        runs = [
            F.local_response_norm(run, self.n, alpha=self.alpha * self.n, beta=self.beta, k=self.k)
            for run in x.chunk(self.groups, dim=1)
        ]
        return torch.cat(runs, dim=1)

    def extra_repr(self) -> str:
        """Show the constants in the printed network."""
        return f"n={self.n}, alpha={self.alpha}, beta={self.beta}, k={self.k}, groups={self.groups}"


class MaskDropout(nn.Module):
    """Drop activations as in 2012: a 0/1 mask in training, a factor `1 - p` at test.

    torch's Dropout scales in training instead. The expected activation at test time is the same
    relative to training, but with a given initialisation the training activations differ.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop in training mode, scale in evaluation mode; any shape."""
        if not self.training:
            return x * (1 - self.p)
        return x * torch.empty_like(x).bernoulli_(1 - self.p)

    def extra_repr(self) -> str:
        """Show the constant in the printed network."""
        return f"p={self.p}"


def local_response_norm(
    x: Tensor, *, n: int, alpha: float, beta: float, k: float, groups: int = 1
) -> Tensor:
    """Normalise `(N, C, H, W)` across channels by the paper's formula, with its exact gradient.

    float16 and bfloat16 are computed in float32 and rounded once at the end; the result has the
    dtype and the memory format of `x`.

    Raises:
        ValueError: the channels do not split into `groups`.
    """
    if x.shape[1] % groups:
        raise ValueError(f"{x.shape[1]} channels do not split into {groups} equal groups")
    result: Tensor = _LocalResponseNorm.apply(x, n, alpha, beta, k, groups)
    return result


class _LocalResponseNorm(torch.autograd.Function):
    """Forward and analytic backward, block by block, both rebuilt from the input alone.

    With d = k + alpha * window_sum(a^2) and r = d^-beta:

        b  = a * r
        da = g * r - 2 * alpha * beta * a * window_sum(g * a * r / d)

    Keeping only `a` costs a few additions in cache and saves writing and reading d.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, n: int, alpha: float, beta: float, k: float, groups: int
    ) -> Tensor:
        """Return b."""
        x = x.contiguous(memory_format=_memory_format(x))
        ctx.save_for_backward(x)
        ctx.constants = (n, alpha, beta, k, groups)
        y = torch.empty_like(x)
        energy = None
        for a, out in _blocks(x, y, groups=groups):
            a = a.to(_compute_dtype(x))
            energy = energy or _WindowSum(a, n=n, border=k / n)
            d, spare = _denominator(energy, a, alpha=alpha)
            torch.mul(a, energy.unpad(_negative_power(d, spare, beta), len(a)), out=out)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None, None]:
        """Return da; the constants have no gradient."""
        (x,) = ctx.saved_tensors
        n, alpha, beta, k, groups = ctx.constants
        grad = grad.contiguous(memory_format=_memory_format(x))
        dx = torch.empty_like(x)
        energy = cross = None
        for a, g, out in _blocks(x, grad, dx, groups=groups):
            a, g = a.to(_compute_dtype(x)), g.to(_compute_dtype(x))
            energy = energy or _WindowSum(a, n=n, border=k / n)
            cross = cross or _WindowSum(a, n=n, border=0.0)
            d, spare = _denominator(energy, a, alpha=alpha)
            r, r_over_d = _negative_powers(d, spare, beta)
            inside = torch.mul(g, a, out=cross.inside(len(a)))
            inside.mul_(energy.unpad(r_over_d, len(a)))
            sums, _ = cross.sum(len(a))
            direct = energy.unpad(r, len(a)).mul_(g)
            torch.addcmul(direct, a, cross.unpad(sums, len(a)), value=-2 * alpha * beta, out=out)
        return dx, None, None, None, None, None


class _WindowSum:
    """Scratch memory that sums n neighbouring channels of blocks `(rows, channels, inner)`.

    A block is written into the middle of a buffer whose border channels hold `border`. In flat
    memory the next channel is then `inner` elements further on, whatever the layout, so a sum of
    2, 4, ... channels is a single addition of the buffer to itself, shifted.
    """

    def __init__(self, block: Tensor, *, n: int, border: float) -> None:
        rows, self.channels, self.inner = block.shape
        self.n, self.border = n, block.new_full((), border)
        self.padded = block.new_full((rows, self.channels + n - 1, self.inner), border)
        self.spares = (torch.empty_like(self.padded), torch.empty_like(self.padded))

    def inside(self, rows: int) -> Tensor:
        """Return the part to be filled: `(rows, channels, inner)`."""
        return self.padded[:rows, self.n // 2 : self.n // 2 + self.channels]

    def unpad(self, buffer: Tensor, rows: int) -> Tensor:
        """Return the block that a buffer of `sum` holds: `(rows, channels, inner)`."""
        return buffer[:rows, : self.channels]

    def sum(self, rows: int) -> tuple[Tensor, Tensor]:
        """Sum what was filled in; return the buffer with the sums and a free buffer."""
        padded, target, free = (part[:rows].view(-1) for part in (self.padded, *self.spares))
        total, width = padded, 1
        while width < self.n:
            doubles = 2 * width <= self.n
            term, shift = (total if doubles else padded), width * self.inner
            width = 2 * width if doubles else width + 1
            size = padded.numel() - (width - 1) * self.inner
            torch.add(total[:size], term[shift : shift + size], out=target[:size])
            total, target, free = target, free, target
        shape = self.padded[:rows].shape
        return total.view(shape), target.view(shape)


def flat_features(layers: nn.Module, *, image_size: int, channels: int = 3) -> int:
    """Count the values per image that `layers`, laid out on the meta device, hand on.

    Raises:
        ValueError: nothing is left of an image of `image_size` pixels.
    """
    count = _flat_features_or_none(layers, image_size, channels)
    if count is not None:
        return count
    sides = range(image_size + 1, _LARGEST_SIDE_TRIED)
    enough = next((s for s in sides if _flat_features_or_none(layers, s, channels)), None)
    raise ValueError(
        f"images of {image_size} pixels are too small for this network: "
        f"its pooling leaves nothing of them; use image_size={enough} or more"
    )


def _flat_features_or_none(layers: nn.Module, image_size: int, channels: int) -> int | None:
    image = torch.empty(1, channels, image_size, image_size, device="meta")
    try:
        with torch.no_grad():
            return int(layers(image).numel())
    except RuntimeError:  # torch's word for a kernel larger than its input
        return None


def _denominator(energy: _WindowSum, a: Tensor, *, alpha: float) -> tuple[Tensor, Tensor]:
    # Each of the n terms brings k/n, as does each border channel: the sum is d at once.
    torch.addcmul(energy.border, a, a, value=alpha, out=energy.inside(len(a)))
    return energy.sum(len(a))


def _negative_power(d: Tensor, spare: Tensor, beta: float) -> Tensor:
    """Return d^-beta, overwriting d; square roots are far cheaper than a general power."""
    if beta != 0.75:
        return d.pow_(-beta)
    root = d.rsqrt_()
    return root.mul_(torch.sqrt(root, out=spare))


def _negative_powers(d: Tensor, spare: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """Return d^-beta and d^-(beta + 1), overwriting both buffers."""
    if beta != 0.75:
        r = torch.pow(d, -beta, out=spare)
        return r, torch.div(r, d, out=d)
    root = d.rsqrt_()
    r = torch.sqrt(root, out=spare).mul_(root)
    return r, root.mul_(root).mul_(r)


def _blocks(*maps: Tensor, groups: int) -> Iterator[tuple[Tensor, ...]]:
    """Cut equally laid out maps into matching views `(rows, channels, inner)`."""
    views = [_rows(each, groups) for each in maps]
    total, channels, inner = views[0].shape
    rows = total
    if maps[0].device.type == "cpu":
        rows = max(1, min(total, _BLOCK_ELEMENTS // (channels * inner)))
    for start in range(0, total, rows):
        yield tuple(view[start : start + rows] for view in views)


def _rows(maps: Tensor, groups: int) -> Tensor:
    batch, channels, height, width = maps.shape
    if _memory_format(maps) is torch.channels_last:
        return maps.permute(0, 2, 3, 1).reshape(-1, channels // groups, 1)
    return maps.view(batch * groups, channels // groups, height * width)


def _memory_format(maps: Tensor) -> torch.memory_format:
    if maps.is_contiguous() or not maps.is_contiguous(memory_format=torch.channels_last):
        return torch.contiguous_format
    return torch.channels_last


def _compute_dtype(maps: Tensor) -> torch.dtype:
    return torch.float32 if maps.dtype in (torch.float16, torch.bfloat16) else maps.dtype
