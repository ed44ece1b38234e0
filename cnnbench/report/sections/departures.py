"""In what does a run depart from the papers: in its networks, and in how they were trained?

The page ends with the article this project began from, whose numbers get the same treatment.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

import zoo
from cnnbench.report.analysis.audit import Audit, Claim, JudgedPair, judged
from cnnbench.report.sections import Grid, Paragraph, Points, RunReport, Section
from cnnbench.report.stats.intervals import wilson
from cnnbench.report.text.table import Column, Table, table_of
from cnnbench.report.text.wording import holm_p, join_and, p_value, percent, span
from cnnbench.schema.cell import Cell, Plan


def section(report: RunReport) -> Section | None:
    """Show in what each network and its training are not their paper's."""
    lines = [f"{model}: {departure}" for model, departure in departures(report.plan)]
    return Section(title="Departures from the papers", blocks=[Points(lines)]) if lines else None


def departures(plan: Plan) -> list[tuple[str, str]]:
    """Return (model, departure) for every network and recipe of a plan.

    A network that is its paper's is listed too, with the words that say so.
    """
    first = {cell.model: cell for cell in reversed(plan.cells)}
    models = dict.fromkeys(cell.model for cell in plan.cells)
    return [(model, text) for model in models for text in _of_cell(first[model])]


def _of_cell(cell: Cell) -> list[str]:
    if zoo.is_external(cell.model):  # a card of another library's network imports torch
        return ["built by another library, not checked against its paper"]
    try:
        card = zoo.card(cell.model)
        network = list(card.departures)
        if cell.image_size != card.image_size:
            network.append(
                f"Fed images of {cell.image_size} pixels instead of {card.image_size}; where a "
                "fully connected layer reads the last map, it has other parameters."
            )
        training = zoo.paper_recipe(cell.model)
    except LookupError:  # written by a version with other models
        return []
    if cell.recipe.name != "paper" or training is None:
        return [
            *(network or ["none in the network"]),
            "Trained by the recipe that all share, not by its paper's.",
        ]
    ours = [f"Ours: {text}" for text in training["ours"]]
    sentences = [*network, *training["departures"], *ours]
    if cell.recipe.batch_size != training["batch_size"]:
        sentences.append(
            f"Batches of {cell.recipe.batch_size} images instead of {training['batch_size']}, "
            f"at a learning rate of {cell.recipe.lr:g} instead of {training['lr']:g}."
        )
    return sentences or ["none"]


# -- the article ----------------------------------------------------------------------------------


def article_section(report: RunReport) -> Section:
    """Show the article's numbers, with the intervals and ties that it does not give."""
    del report  # the article is the same beside every run
    return Section(
        title="The article this project began from",
        blocks=[
            Paragraph(article_intro()),
            Grid(article_table(), "The article"),
            Paragraph(" ".join(article_sentences())),
        ],
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ArticleModel:
    """One network of the article, as printed: counts and losses."""

    name: str
    correct: int
    printed_top1: float
    test_loss: float
    train_loss: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Article:
    """The article's comparison; `models` are its networks, the most accurate first."""

    title: str
    train_images: int
    test_images: int
    test_loss: str
    train_loss: str
    models: tuple[ArticleModel, ...]


@cache
def article() -> Article:
    """Return the article's numbers from `article.toml`."""
    text = resources.files("cnnbench.report.sections").joinpath("article.toml").read_text("utf-8")
    facts = tomllib.loads(text)
    facts.pop("version")
    models = [ArticleModel(**model) for model in facts.pop("models")]
    return Article(models=tuple(sorted(models, key=lambda model: -model.correct)), **facts)


@cache
def article_audit() -> Audit:
    """Judge the article's table; only counts are known, so its pairs are unpaired."""
    return judged(
        [
            Claim(
                name=model.name,
                n_images=article().test_images,
                lowest=model.correct,
                highest=model.correct,
                printed=f"{model.printed_top1}",
            )
            for model in article().models
        ]
    )


def verdicts() -> tuple[JudgedPair, ...]:
    """Return every pair of the article's networks, judged."""
    return article_audit().pairs


def article_table() -> Table:
    """Return the article's numbers with the intervals and letters that belong to them."""
    models, total = article().models, article().test_images
    audit = article_audit()
    tied = {c.name: letter for c, letter in zip(audit.claims, audit.letters, strict=True)}
    columns: list[Column[ArticleModel]] = [
        ("model", "l", lambda model: model.name),
        ("top-1 %", "r", lambda model: percent(model.correct / total, digits=2)),
        ("95 % interval", "r", lambda model: span(*wilson(model.correct, total))),
        ("right", "r", lambda model: f"{model.correct}/{total}"),
        ("tie", "l", lambda model: tied[model.name]),
        ("test loss", "r", lambda model: f"{model.test_loss:g}"),
        ("train loss", "r", lambda model: f"{model.train_loss:g}"),
    ]
    return table_of(models, columns)


def article_intro() -> str:
    """Say what the article's table shows and what it must not be compared with."""
    facts = article()
    return (
        f"{facts.title[:1].upper() + facts.title[1:]}: {facts.train_images:,} for training, "
        f"{facts.test_images} for testing. Its test loss is {facts.test_loss}, its train loss "
        f"{facts.train_loss}. Its images, training time and rules are not those of this report, so "
        "the two tables stand side by side and are not compared number by number."
    )


def article_sentences() -> list[str]:
    """Say in words which of the article's networks can be told apart and which cannot."""
    proven = [pair for pair in verdicts() if pair.decision.separated]
    tied = [pair for pair in verdicts() if not pair.decision.separated]
    better = "; ".join(f"{v.better} is better than {v.worse} ({_p_holm(v)})" for v in proven)
    untold = join_and([f"{v.better} and {v.worse} ({_p_holm(v)})" for v in tied])
    closest = max(tied, key=lambda pair: pair.decision.test.p)
    return [
        f"Of its {len(verdicts())} pairs {len(proven)} can be told apart with "
        f"{article().test_images} images: {better}.",
        f"Not told apart: {untold}.",
        f"Before any correction the closest pair is {closest.better} and {closest.worse}, "
        f"{p_value(closest.decision.test.p)}.",
    ]


def _p_holm(pair: JudgedPair) -> str:
    return holm_p(pair.decision.p_holm)
