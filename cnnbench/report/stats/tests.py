"""How sure can one be of an accuracy, and which of two networks is really better?

The closed forms are written out here because importing statsmodels takes seconds and a report is
drawn after every run; the tests hold each of them against scipy or its definition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

ALPHA = 0.05


_FAR = 40.0  # standard deviations


def mcnemar(a_right: npt.NDArray[np.bool_], b_right: npt.NDArray[np.bool_]) -> float:
    """Return the exact two-sided p-value that two networks are equally often right.

    Both arrays `(N,)` say for the same images in the same order which network was right. Only the
    images on which they differ count: under equality each is a fair coin (McNemar 1947).

    >>> a = np.array([True] * 9 + [False] * 1)
    >>> b = np.array([False] * 8 + [True] * 2)
    >>> mcnemar(a, b)
    0.0390625
    """
    if a_right.shape != b_right.shape:
        raise ValueError(f"{a_right.shape} and {b_right.shape}: not the same images")
    from scipy.special import bdtr

    only_a = int(np.count_nonzero(a_right & ~b_right))
    only_b = int(np.count_nonzero(b_right & ~a_right))
    if only_a == only_b:
        return 1.0
    return min(1.0, 2.0 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def fisher(a_correct: int, a_total: int, b_correct: int, b_total: int) -> float:
    """Return Fisher's exact two-sided p-value for two shares known only as counts.

    It takes the two as independent samples, so on the same images it is weaker than `mcnemar`.

    >>> f"{fisher(113, 128, 111, 128):.2f}"
    '0.85'
    """
    from scipy.special import gammaln  # all of scipy.stats takes over a second to import

    def ways(total: int, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = (
            gammaln(total + 1) - gammaln(chosen + 1) - gammaln(total - chosen + 1)
        )
        return found

    correct, total = a_correct + b_correct, a_total + b_total
    mean = a_total * correct / total
    variance = mean * (total - correct) * b_total / total / max(1, total - 1)
    reach = _FAR * math.sqrt(variance) + 1  # nothing beyond it adds to a sum of doubles
    least = max(0, correct - b_total, math.floor(mean - reach))
    most = min(correct, a_total, math.ceil(mean + reach))
    if not least <= a_correct <= most:
        return 0.0
    a_might = np.arange(least, most + 1)
    all_ways = ways(total, np.array([correct]))
    chances = np.exp(ways(a_total, a_might) + ways(b_total, correct - a_might) - all_ways)
    seen = chances[a_correct - a_might[0]]
    # Tables exactly as likely as the one seen count too, whatever their last digits.
    return min(1.0, float(chances[chances <= seen * (1 + 1e-7)].sum()))


def holm(pvalues: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that any false alarm among them keeps its probability.

    Holm (1979), "A simple sequentially rejective multiple test procedure".

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(pvalues, dtype=float)
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return [float(value) for value in adjusted]
