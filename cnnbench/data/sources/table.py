"""Which columns of a table name the images, their classes and their splits?

A column is known by what it holds: the file's column names images that lie there, the split's has a
split's word in every row, and the class is the column that is left or is called so.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnbench.base.words import with_hint
from cnnbench.data import DataError, shortlist
from cnnbench.data.dataset import SPLIT_NAMES, SplitName
from cnnbench.data.pixels.formats import has_image_suffix
from cnnbench.data.sources.image_index import ImageIndex
from cnnbench.data.sources.reading import Reading
from cnnbench.data.sources.split_words import is_split_word, meaning

_LABEL = frozenset(
    (
        *("label", "labels", "class", "classes", "category", "categories", "target", "targets"),
        *("labelname", "classname", "categoryname", "labelid", "classid", "categoryid"),
        *("species", "breed", "diagnosis", "dx", "y"),
    )
)
_SPLIT = frozenset(
    ("split", "datasplit", "set", "subset", "dataset", "partition", "usage", "phase", "fold")
)
_IS_SO = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_SAMPLE = 200  # rows that are looked at to find the delimiter and the file's column


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The rows of a list, with their line numbers and the names of the columns."""

    path: Path
    columns: tuple[str, ...]
    rows: Sequence[tuple[int, list[str]]]

    def place(self, name: str, option: str) -> int:
        """Return where a column is that was named by `option`; DataError if there is none."""
        known = {column.casefold(): i for i, column in enumerate(self.columns)}
        if name.casefold() not in known:
            mistake = f"{self.path.name} has no column {name!r} ({option}=)"
            advice = f"its columns: {shortlist(self.columns)}"
            raise DataError(with_hint(mistake, name, self.columns, advice))
        return known[name.casefold()]

    def values(self, place: int) -> list[str]:
        """Return the stripped values of a column."""
        return [row[place].strip() for _, row in self.rows]


def text_of(path: Path) -> tuple[str, str]:
    """Return a list's text, and a notice where it is in neither UTF-8 nor UTF-16.

    Raises DataError for what is no text.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror}") from error
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\0" in content and not is_wide:
        raise DataError(f"{path.name} is not a text file")
    try:
        return content.decode("utf-16" if is_wide else "utf-8-sig"), ""
    except UnicodeDecodeError:
        notice = f"{path.name} is not in UTF-8; it is read as Windows-1252"
        return content.decode("cp1252", "replace"), notice


def parse(path: Path, text: str, delimiter: str) -> Table | None:
    """Return the table that a delimiter makes of a text, None where it makes none."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        rows = [(lines.line_num, row) for row in lines if any(cell.strip() for cell in row)]
    except csv.Error:
        return None
    width = Counter(len(row) for _, row in rows).most_common(1)[0][0] if rows else 0
    if width < 2:
        return None
    names = tuple(str(number) for number in range(1, width + 1))
    return Table(path=path, columns=names, rows=rows)


def file_column(tables: Iterable[Table], index: ImageIndex, reading: Reading) -> tuple[Table, int]:
    """Return the table and its column whose values are files there, with a header or without."""
    best: tuple[tuple[int, int, int], Table, int] | None = None
    for table in tables:
        sample = table.rows[:_SAMPLE]
        whole = sum(len(row) == len(table.columns) for _, row in sample)
        for place in range(len(table.columns)):
            cells = [row[place].strip() for _, row in sample if place < len(row)]
            # Different images count: a column of classes 0 to 9 may name 0.jpg to 9.jpg.
            files = len({tuple(found) for cell in cells if (found := index.find(cell))})
            score = files, sum(map(has_image_suffix, cells)), whole
            if best is None or score > best[0]:
                best = score, table, place
    assert best is not None
    score, table, place = best
    for line, row in table.rows:
        if len(row) != len(table.columns):
            raise DataError(
                f"{table.path.name} has {len(table.columns)} columns, but line {line} has "
                f"{len(row)}: {shortlist(row)}"
            )
    head = table.rows[0][1]
    if not (index.find(head[place]) or has_image_suffix(head[place])):
        names = tuple(name.strip() for name in head)
        table = Table(path=table.path, columns=names, rows=table.rows[1:])
    if reading.file:
        place = table.place(reading.file, "file")
    elif not any(score[:2]):
        seen = ", ".join(table.rows[0][1]) if table.rows else "no row"
        raise DataError(
            f"no column of {table.path.name} names images that lie in {str(table.path.parent)!r} "
            f"or below; its first row: {shortlist([seen])}; put the images beside it, or name the "
            "column: --data file=COLUMN"
        )
    return table, place


def split_column(
    table: Table, file: int, reading: Reading
) -> tuple[int | None, Sequence[SplitName | None]]:
    """Return the column that says the splits and each row's split; None where there is none.

    Raises DataError if a column that was typed says anything else.
    """
    typed = [table.place(reading.split, "split")] if reading.split else []
    for place in typed or [i for i in columns_about_splits(table) if i != file]:
        splits = _splits_of(table.columns[place], table.values(place))
        if splits is not None:
            return place, splits
        if typed:
            raise DataError(
                f"column {reading.split!r} of {table.path.name} must say train, val or test, "
                f"saw: {shortlist(sorted(set(table.values(place))))}"
            )
    return None, [None] * len(table.rows)


def columns_about_splits(table: Table) -> list[int]:
    """Return the columns that are called as if they said the splits, as `fold` or `is_valid`."""
    return [
        place
        for place, title in enumerate(table.columns)
        if _plain(title) in _SPLIT or _role_asked(title) or is_split_word(title)
    ]


def _role_asked(title: str) -> SplitName | None:
    """Return the split that a column of yes and no is about: fastai calls it `is_valid`."""
    role, rest = meaning(title)
    return role if rest == "is" and role in SPLIT_NAMES else None


def _splits_of(title: str, cells: Sequence[str]) -> list[SplitName] | None:
    """Return the split that each cell means, None if one of them means none."""
    role = _role_asked(title)
    if role and all(cell.casefold() in _IS_SO for cell in cells):
        other: SplitName = "test" if role == "train" else "train"
        return [role if _IS_SO[cell.casefold()] else other for cell in cells]
    roles = [meaning(cell)[0] for cell in cells if is_split_word(cell)]
    splits = [role for role in roles if role in SPLIT_NAMES]
    return splits if len(splits) == len(cells) else None


def _plain(title: str) -> str:
    return re.sub(r"[\W_]+", "", title.casefold())


def label_column(table: Table, taken: set[int | None], reading: Reading) -> int:
    """Return the column of the classes; DataError if it could be more than one."""
    if reading.label:
        return table.place(reading.label, "label")
    # A column without a title is the row's number, as pandas writes it; it reads `Unnamed: 0`.
    rest = [
        place
        for place, name in enumerate(table.columns)
        if name and not name.startswith("Unnamed: ") and place not in taken
    ]
    named = [place for place in rest if _plain(table.columns[place]) in _LABEL]
    if len(named) == 1 or len(rest) == 1:
        return (named or rest)[0]
    if not rest:
        raise DataError(
            f"{table.path.name} has no column with the class; its columns: "
            f"{shortlist(table.columns)}"
        )
    raise DataError(
        f"{table.path.name} has several columns that could be the class: "
        f"{shortlist(table.columns[place] for place in named or rest)}; say which: --data "
        "label=COLUMN, and where need be --data file=COLUMN --data split=COLUMN"
    )
