import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from zoo.layers import local_response_norm

GOLDEN_INPUT = [10.0, 20, 30, 40, 50, 60, 70]
GOLDEN_PAPER = [5.651838, 10.708635, 14.866753, 17.999544, 20.192328, 24.730793, 29.962412]
GOLDEN_CODE = [5.884357, 11.631335, 17.135998, 22.295521, 27.036509, 32.638107, 38.488706]
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def naive(x, *, n, alpha, beta, k, groups=1):
    out = torch.empty_like(x)
    size = x.shape[1] // groups
    for i in range(x.shape[1]):
        low = max(i // size * size, i - n // 2)
        high = min((i // size + 1) * size - 1, i + n // 2)
        energy = (x[:, low : high + 1] ** 2).sum(dim=1)
        out[:, i] = x[:, i] / (k + alpha * energy) ** beta
    return out


def random_maps(shape, dtype=torch.float64, layout=torch.contiguous_format, scale=100.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(shape, generator=generator, dtype=torch.float64) * scale
    return maps.to(dtype).to(memory_format=layout)


@pytest.mark.parametrize(("alpha", "golden"), [(1e-4, GOLDEN_PAPER), (1e-4 / 5, GOLDEN_CODE)])
def test_lrn_gives_the_golden_vectors(alpha, golden):
    x = torch.tensor(GOLDEN_INPUT, dtype=torch.float64).view(1, 7, 1, 1)
    y = local_response_norm(x, n=5, alpha=alpha, beta=0.75, k=2.0)
    torch.testing.assert_close(
        y.flatten(), torch.tensor(golden, dtype=torch.float64), rtol=1e-6, atol=1e-6
    )


def test_lrn_equals_torch_at_five_times_alpha():
    x = random_maps((2, 11, 3, 4))
    ours = local_response_norm(x, n=5, alpha=1e-4, beta=0.75, k=2.0)
    theirs = F.local_response_norm(x, 5, alpha=5e-4, beta=0.75, k=2.0)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)


@given(
    channels=st.integers(1, 9),
    groups=st.integers(1, 3),
    n=st.sampled_from([1, 3, 5, 7, 9]),
    beta=st.sampled_from([0.5, 0.75, 1.0]),
    layout=st.sampled_from(LAYOUTS),
    seed=st.integers(0, 100),
)
@settings(deadline=None, derandomize=True, max_examples=60)
def test_lrn_equals_the_naive_sum(channels, groups, n, beta, layout, seed):
    x = random_maps((2, channels * groups, 3, 2), layout=layout, seed=seed)
    constants = {"n": n, "alpha": 3e-4, "beta": beta, "k": 1.5, "groups": groups}
    torch.testing.assert_close(
        local_response_norm(x, **constants), naive(x, **constants), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("beta", [0.75, 0.6])
@pytest.mark.parametrize("groups", [1, 2])
def test_lrn_gradient_passes_gradcheck(layout, beta, groups):
    x = random_maps((2, 8, 3, 2), layout=layout, scale=3.0).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda v: local_response_norm(v, n=5, alpha=0.1, beta=beta, k=2.0, groups=groups), (x,)
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 4e-3)])
def test_lrn_rounds_once_in_low_precision(layout, dtype, tolerance):
    x = random_maps((3, 16, 5, 5), dtype=dtype, layout=layout).requires_grad_()
    g = random_maps((3, 16, 5, 5), dtype=dtype, layout=layout, scale=1.0, seed=1)
    exact = x.detach().double().requires_grad_()
    y = local_response_norm(x, n=5, alpha=1e-4, beta=0.75, k=2.0)
    y.backward(g)
    reference = naive(exact, n=5, alpha=1e-4, beta=0.75, k=2.0)
    reference.backward(g.double())
    assert y.dtype == dtype
    assert y.is_contiguous(memory_format=layout)
    assert (y - reference).abs().max() <= tolerance * reference.abs().max()
    assert (x.grad - exact.grad).abs().max() <= tolerance * exact.grad.abs().max()


def test_lrn_does_not_depend_on_how_the_work_is_cut(monkeypatch):
    x = random_maps((4, 8, 6, 6), layout=torch.channels_last)
    whole = local_response_norm(x, n=5, alpha=1e-3, beta=0.75, k=2.0)
    monkeypatch.setattr("zoo.layers._BLOCK_ELEMENTS", 8 * 5)
    pieces = local_response_norm(x, n=5, alpha=1e-3, beta=0.75, k=2.0)
    assert torch.equal(whole, pieces)


def test_lrn_refuses_channels_that_do_not_split():
    with pytest.raises(ValueError, match="7 channels do not split into 2"):
        local_response_norm(torch.ones(1, 7, 2, 2), n=5, alpha=1e-4, beta=0.75, k=2.0, groups=2)
