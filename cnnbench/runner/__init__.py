"""How is one cell run? The only room where model, data, engine and store meet."""

from cnnbench.runner.running import Interrupted, run_cell
from cnnbench.runner.setting import Setting

__all__ = ["Interrupted", "Setting", "run_cell"]
