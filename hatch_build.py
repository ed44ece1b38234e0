"""Put the cards of `datasets/` into the wheel as `cnnbench/cards`.

An editable install has no need of it: there the cards are read in the checkout.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CardsHook(BuildHookInterface[Any]):
    """Adds the cards to wheels that are no editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds; `version` is `editable` or `standard`."""
        if version != "editable":
            build_data["force_include"]["datasets"] = "cnnbench/cards"
