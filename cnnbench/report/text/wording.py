"""How are numbers, shares and lists of names put into words?"""

import math
from collections.abc import Sequence

from cnnbench.base.words import plural
from cnnbench.schema.budget import Currency
from cnnbench.schema.foresight import STARVED_EPOCHS

__all__ = ["EVALUATION_LOSS", "MINUS", "NOTHING", "RUNNING_LOSS", "STARVED", "UNRANKED", "amount"]
__all__ += ["decimals", "epochs_seen", "holm_p", "join_and", "join_numbers", "marked", "p_value"]
__all__ += ["percent", "plural", "rounded_up", "scaled", "signed_points", "significant", "span"]

NOTHING = "\u2013"
MINUS = "\u2212"
_MARK = "\u2020"  # a dagger beside a network that is starved
STARVED = f"{_MARK} saw fewer than {STARVED_EPOCHS:g} epochs: too early to rank."
UNRANKED = "Trained on unlike machines: not ranked."
# Of a row's `train_loss` and of its `train_eval_loss`.
RUNNING_LOSS, EVALUATION_LOSS = "running train loss", "train loss (eval)"


def percent(share: float | None, *, digits: int = 1) -> str:
    """Return a share in [0, 1] as per cent without the sign, or a dash for None.

    >>> percent(0.8828)
    '88.3'
    """
    return NOTHING if share is None else f"{100 * share:.{digits}f}"


def signed_points(share: float | None) -> str:
    r"""Return a difference of shares in points, or a dash for None.

    What is not zero keeps its sign, however small it is; only zero has none.

    >>> signed_points(0.0312), signed_points(1e-9), signed_points(0.0)
    ('+3.1', '+0.0', '0.0')
    """
    if share is None:
        return NOTHING
    return f"{100 * share:+.1f}".replace("-", MINUS) if share else "0.0"


def span(low: float | None, high: float | None) -> str:
    r"""Return an interval of shares as per cent.

    >>> span(0.8156, 0.9277) == "81.6\u201392.8"
    True
    """
    return NOTHING if low is None or high is None else f"{percent(low)}\u2013{percent(high)}"


def significant(value: float | None, digits: int = 3) -> str:
    """Return a number with so many significant digits and no exponent, or a dash for None.

    >>> significant(60.965), significant(0.06174), significant(1234.5), significant(0.0)
    ('61.0', '0.0617', '1,234', '0')
    """
    if value is None:
        return NOTHING
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:,.{min(max(decimals, 0), 12)}f}"


def scaled(value: float | None, unit: float) -> str:
    """Return a count in units of `unit` with three significant digits, or a dash for None."""
    return NOTHING if value is None else significant(value / unit)


def decimals(value: float | None, digits: int) -> str:
    """Return a number with so many decimals, or a dash for None; NaN stays NaN."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def amount(currency: Currency, value: float) -> str:
    """Return an amount of a budget with its unit.

    >>> amount(Currency.SECONDS, 119.98), amount(Currency.IMAGES, 23560)
    ('120.0 s', '23,560 images')
    """
    match currency:
        case Currency.SECONDS:
            return f"{value:,.1f} s"
        case Currency.IMAGES:
            return f"{value:,.0f} images"
        case Currency.EPOCHS:
            return f"{value:,.2f} epochs"
        case Currency.FLOPS:
            return f"{value:.3g} FLOPs"
        case Currency.JOULES:
            return f"{value:,.0f} J"


def p_value(value: float) -> str:
    """Return a p-value as readers expect it.

    >>> p_value(0.00004), p_value(0.0312), p_value(0.85)
    ('p < 0.001', 'p = 0.031', 'p = 0.85')
    """
    if value < 0.001:
        return "p < 0.001"
    return f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def holm_p(value: float) -> str:
    """Return a p-value after Holm's correction, named so that nobody takes it for a plain one.

    >>> holm_p(1.0)
    "Holm's p = 1.00"
    """
    return f"Holm's {p_value(value)}"


def epochs_seen(epochs: float | None) -> str:
    """Return epochs with one decimal; too few to rank are never rounded up to enough.

    >>> epochs_seen(2.66), epochs_seen(4.97), epochs_seen(5.0)
    ('2.7', '4.9', '5.0')
    """
    if epochs is not None and round(epochs, 1) >= STARVED_EPOCHS > epochs:
        epochs = STARVED_EPOCHS - 0.1
    return decimals(epochs, 1)


def marked(name: str, is_starved: bool | None) -> str:
    """Return a network's name, with a mark if it saw too little to be ranked."""
    return f"{name} {_MARK}" if is_starved else name


def rounded_up(count: int) -> str:
    """Return a count rounded up to two significant digits, for a number that is an estimate.

    >>> rounded_up(4823), rounded_up(97), rounded_up(12_345_678)
    ('4,900', '97', '13,000,000')
    """
    unit = 10 ** max(0, len(str(count)) - 2)
    return f"{-(-count // unit) * unit:,}"


def join_and(items: Sequence[str]) -> str:
    """Return a list as people say it.

    >>> join_and(["a"]), join_and(["a", "b"]), join_and(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join(part for part in (", ".join(items[:-1]), *items[-1:]) if part)


def join_numbers(numbers: Sequence[int]) -> str:
    """Return a list of whole numbers; more than three in a row are told by both ends.

    >>> join_numbers([0, 1, 2]), join_numbers([5, *range(7, 100)])
    ('0, 1 and 2', '5 and 7 to 99')
    """
    stretches: list[list[int]] = []
    for number in numbers:
        if stretches and number == stretches[-1][-1] + 1:
            stretches[-1].append(number)
        else:
            stretches.append([number])
    words = [[f"{s[0]} to {s[-1]}"] if len(s) > 3 else map(str, s) for s in stretches]
    return join_and([word for of_stretch in words for word in of_stretch])
