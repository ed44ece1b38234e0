"""The verb that judges tables of others: `audit`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnbench.cli.options import EXITS, Json, app
from cnnbench.planning.request import PlanError


@app.command(epilog=EXITS)
def audit(
    table: Annotated[
        str,
        typer.Argument(
            help="AlexNet=88.28,VGG=86.72, or a CSV, Markdown or JSON file of accuracies or "
            "predictions, or a run folder."
        ),
    ],
    n: Annotated[int | None, typer.Option("-n", min=1, help="Test images behind them.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings that each is the mean of.")] = 1,
    out: Annotated[str | None, typer.Option(help="Write the page to this .md file, too.")] = None,
    as_json: Json = False,
) -> int:
    """Say what a table of accuracies establishes; exit 1 where its winner is not established."""
    from cnnbench.audit.tables import read_claims
    from cnnbench.base.files import write_text
    from cnnbench.cli.show.audit import audit_data, audit_page, show_audit
    from cnnbench.cli.show.console import print_json
    from cnnbench.report.analysis.audit import judged

    if out is not None and not out.endswith(".md"):
        raise PlanError(f"--out writes Markdown, so its name ends in .md; saw {out!r}")
    found = judged(read_claims(table, n_images=n, seeds=seeds))
    if out is not None:
        write_text(Path(out), audit_page(found))
    if as_json:
        print_json(audit_data(found))
    else:
        show_audit(found)
    return 0 if found.is_established else 1
