"""How much may a model spend, in which currency, and how far along is it?"""

import math
import re
from enum import StrEnum
from typing import Self

from pydantic import Field

from cnnbench.schema import Value

__all__ = ["Budget", "Currency", "Spent"]

_SYNTAX = (
    "90s, 2m, 1h (seconds); 20ep (epochs); 30000img (images); 1e15flop (training FLOPs); "
    "500J (joules, where the machine counts them)"
)
_TEXT = re.compile(r"([+-]?[0-9.]+(?:e[+-]?[0-9]+)?)\s*([a-zA-Z]*)")


class Currency(StrEnum):
    """What a budget is counted in."""

    SECONDS = "seconds"
    EPOCHS = "epochs"
    IMAGES = "images"
    FLOPS = "flops"
    JOULES = "joules"

    @property
    def is_metered(self) -> bool:
        """Whether a meter of the machine, and no count of images, says when it is spent."""
        return self in (Currency.SECONDS, Currency.JOULES)


_UNITS: dict[str, tuple[Currency, float]] = {
    "s": (Currency.SECONDS, 1.0),
    "m": (Currency.SECONDS, 60.0),
    "h": (Currency.SECONDS, 3600.0),
    "ep": (Currency.EPOCHS, 1.0),
    "img": (Currency.IMAGES, 1.0),
    "flop": (Currency.FLOPS, 1.0),
    "j": (Currency.JOULES, 1.0),
}


class Spent(Value):
    """What one cell has used so far, in every currency at once.

    `seconds` is charged time only: waiting for data, transfer, augmentation, forward, backward
    and optimizer. `joules` are those of the same charged steps, None where nothing counts them.
    """

    seconds: float = 0.0
    epochs: float = 0.0
    images: int = 0
    flops: float = 0.0
    steps: int = 0
    joules: float | None = None

    def of(self, currency: Currency) -> float:
        """Return the amount spent in one currency."""
        return float(getattr(self, currency.value) or 0.0)


class Budget(Value):
    """A limit in one currency, the same for every model of a plan."""

    currency: Currency
    limit: float = Field(gt=0, allow_inf_nan=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a budget as people type it.

        Raises:
            ValueError: if the amount, the unit or the sign is wrong; the message says how to
                write it.

        >>> Budget.parse("2m")
        Budget(currency=<Currency.SECONDS: 'seconds'>, limit=120.0)
        >>> str(Budget.parse("1.5h")), str(Budget.parse("20ep")), str(Budget.parse("1e15flop"))
        ('1.5h', '20ep', '1e+15flop')
        """
        match = _TEXT.fullmatch(text.strip())
        unit = match and _UNITS.get(match[2].lower())
        if not match or not unit:
            raise ValueError(f"budget {text!r} is not an amount with a unit; write {_SYNTAX}")
        try:
            limit = float(match[1]) * unit[1]
        except ValueError:
            raise ValueError(
                f"budget {text!r}: {match[1]!r} is no number; write {_SYNTAX}"
            ) from None
        if not 0 < limit < math.inf:
            raise ValueError(f"budget {text!r} must be more than zero and finite; write {_SYNTAX}")
        if unit[0] is Currency.IMAGES and limit != int(limit):
            raise ValueError(f"budget {text!r} must be a whole number of images")
        return cls(currency=unit[0], limit=limit)

    @classmethod
    def parse_many(cls, text: str) -> list[Self]:
        """Read budgets with commas between, for instance the rungs of a ladder.

        Raises:
            ValueError: as `parse`, or if the currencies differ or an amount is there twice.

        >>> [str(budget) for budget in Budget.parse_many("30s,1m")]
        ['30s', '1m']
        """
        budgets = [cls.parse(part) for part in text.split(",") if part.strip()] or [cls.parse(text)]
        if len({budget.currency for budget in budgets}) > 1:
            raise ValueError(f"budgets {text!r} must be in one currency to be compared")
        if len({budget.limit for budget in budgets}) < len(budgets):
            raise ValueError(f"budgets {text!r} name the same amount twice")
        return sorted(budgets, key=lambda budget: budget.limit)

    def __str__(self) -> str:
        """Return the budget as it can be typed, with no digit lost: `1.5h`, but `100s`."""
        if self.currency is Currency.SECONDS:
            for unit, seconds in (("h", 3600.0), ("m", 60.0)):
                amount = f"{self.limit / seconds:g}"
                if self.limit >= seconds and float(amount) * seconds == self.limit:
                    return amount + unit
        unit = next(key for key, (currency, _) in _UNITS.items() if currency is self.currency)
        unit = "J" if self.currency is Currency.JOULES else unit
        amount = f"{self.limit:g}"
        if float(amount) != self.limit or ("e" in amount and self.limit < 1e12):
            amount = f"{self.limit!r}".removesuffix(".0")
        return amount + unit

    def progress(self, spent: Spent) -> float:
        """Return the share of the budget that is spent, in [0, 1]."""
        return min(1.0, max(0.0, spent.of(self.currency) / self.limit))

    def total_images(self, *, train_images: int, flops_per_image: float) -> int | None:
        """Return how many training images the budget buys, or None where only a meter can tell.

        Epochs and FLOPs are turned into images once, before the first step, so that a budget
        counted in them ends on exactly that image.
        """
        match self.currency:
            case Currency.IMAGES:
                return max(1, round(self.limit))
            case Currency.EPOCHS:
                return max(1, round(self.limit * train_images))
            case Currency.FLOPS:
                return max(1, math.floor(self.limit / flops_per_image))
            case Currency.SECONDS | Currency.JOULES:
                return None
