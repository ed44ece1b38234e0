"""How is a folder to be read, and what is known of it before any image is opened?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cnnbench.data.dataset import SplitName
from cnnbench.data.pixels.decode import MAX_MEGAPIXELS
from cnnbench.data.sources.scan import Scan

__all__: list[str] = []

LISTS = (".csv", ".tsv", ".txt")
"""Suffixes of lists of labels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How a folder or a list of labels is read.

    `layout` says whether the folders are splits or classes, where their names leave it open.
    `ignore` are names of files and folders to pass over. `below` is a folder between a split and
    its classes. With `fine`, each innermost folder is a class, else each outermost. Up to
    `skip_broken` images that cannot be decoded are left out; one over `max_megapixels` is one of
    them. Where the images are to be split, near duplicates stay on one side unless
    `group_near_duplicates` is false. `file`, `label` and `split` are the
    columns of a list of labels, "" for those that it shows by itself.
    """

    layout: Literal["auto", "splits", "classes"] = "auto"
    ignore: tuple[str, ...] = ()
    below: str = ""
    fine: bool = False
    skip_broken: int = 0
    max_megapixels: int = MAX_MEGAPIXELS
    group_near_duplicates: bool = True
    file: str = ""
    label: str = ""
    split: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The images of each split by class, before any is opened.

    `homes` are the folders, relative to the tree's root, whose folders are the classes; a list of
    labels has none. Without `is_split` there is only `train`, whose images are still to be divided.
    """

    scans: Mapping[SplitName, Scan]
    homes: Mapping[SplitName, str]
    is_split: bool
    notices: tuple[str, ...] = ()
