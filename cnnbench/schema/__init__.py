"""The nouns of cnnbench: frozen, versioned values that go to JSON and come back."""

from typing import Annotated, Any

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
