"""cnnbench: which classic CNN is best for my images, if each gets the same budget?"""

from typing import TYPE_CHECKING, Any

from cnnbench.version import __version__

if TYPE_CHECKING:
    from cnnbench.api import load_results as load_results
    from cnnbench.api import run as run
    from cnnbench.networks import load_model as load_model

__all__ = ["__version__", "load_model", "load_results", "run"]


def __getattr__(name: str) -> Any:
    # Lazy, so that `cnnbench --help` pays neither for pandas nor for torch.
    if name in {"run", "load_results"}:
        from cnnbench import api

        return getattr(api, name)
    if name == "load_model":
        from cnnbench.networks import load_model

        return load_model
    raise AttributeError(f"module 'cnnbench' has no attribute {name!r}")
