"""How does a run's table get into a README, and stay current there?"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from cnnbench.report import conditions
from cnnbench.report.compare import compare
from cnnbench.report.contenders import labels
from cnnbench.report.escape import escape_markdown
from cnnbench.report.headline import finding
from cnnbench.report.tables import as_markdown, result_table, rows
from cnnbench.store import StoreError
from cnnbench.store.files import write_whole

if TYPE_CHECKING:
    from cnnbench.store import RunFolder

BEGIN, END = "<!-- cnnbench:begin -->", "<!-- cnnbench:end -->"
_TIES = 'Networks that share a letter under "tie" cannot be told apart.'
_BETWEEN = re.compile(re.escape(BEGIN) + r".*?" + re.escape(END), re.DOTALL)


def update_readme(readme: Path, run: RunFolder) -> None:
    """Put a run's picture and table between the two markers of a Markdown file.

    Doing it twice changes nothing.

    Raises:
        StoreError: if the file cannot be read, or does not hold the markers exactly once.
    """
    try:
        text = readme.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StoreError(f"cannot read {readme}: {reason}") from None
    if text.count(BEGIN) != 1 or text.count(END) != 1 or not _BETWEEN.search(text):
        raise StoreError(
            f"{readme} must hold {BEGIN} and, after it, {END}, once each; "
            "put them where the table should stand"
        )
    section = readme_section(run, readme.parent)
    updated = _BETWEEN.sub(lambda _: f"{BEGIN}\n{section}{END}", text)
    if updated != text:
        write_whole(readme, lambda file: file.write(updated.encode()))


def readme_section(run: RunFolder, folder: Path) -> str:
    """Return headline, picture and table of a run, with links that hold from `folder`."""
    plan, table = run.plan(), rows(run)
    comparison, names = compare(run, table), labels(plan)
    path = Path(os.path.relpath(run.path, folder)).as_posix()
    headline = [escape_markdown(sentence) for sentence in finding(comparison, table)]
    settings = dict(conditions.settings(plan, table))
    facts = [settings["dataset"], settings["images"], settings["budget"], settings["machine"]]
    lines = [
        f"**{headline[0]}** {' '.join(headline[1:])}",
        f"![{headline[0]}]({path}/figures/accuracy.svg)",
        as_markdown(result_table(table, names=names, letters=comparison.letter)),
        *([_TIES] if comparison.letter else []),
        f"{escape_markdown('; '.join(facts))}. [The whole report]({path}/report.md).",
    ]
    return "\n\n".join(line.strip() for line in lines) + "\n"
