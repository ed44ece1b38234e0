"""From names and numbers that were typed to a checked plan of cells."""

from cnnbench.planning.request import PlanError, Request, RunOptions

__all__ = ["PlanError", "Request", "RunOptions"]
