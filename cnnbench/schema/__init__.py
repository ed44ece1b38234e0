"""The nouns of cnnbench: frozen, versioned values that go to JSON and come back."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Value"]


class Value(BaseModel):
    """A value that never changes and refuses a key that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
