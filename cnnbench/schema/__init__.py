"""The nouns of cnnbench: frozen, versioned values that go to JSON and come back."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict

from cnnbench.base.words import escape_bytes

__all__ = ["Name", "Value"]


def _escaped(value: Any) -> Any:
    return escape_bytes(value) if isinstance(value, str) else value


Name = Annotated[str, BeforeValidator(_escaped)]
"""Text from outside, which may name a file whose bytes are no text: such bytes are spelled."""


class Value(BaseModel):
    """A value that never changes and refuses a key that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with changes; what a cached property worked out is left behind."""
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied
