"""How is it said, before anything trains, with which weights the networks begin?"""

from cnnbench.schema.cell import Plan

__all__ = ["start_lines"]


def start_lines(plan: Plan) -> list[str]:
    """Return a line for each model with weights: from which training, how they fit, what trains."""
    lines = []
    for cell in {cell.model: cell for cell in plan.cells if cell.start}.values():
        start = cell.start
        assert start
        facts = [f"weights trained on {start.earlier_training}", *start.fit]
        lines.append(f"{cell.model}: {'; '.join(facts)}")
    return lines
