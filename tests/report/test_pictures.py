from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from synthetic import FOUR, FakeModel, FakeRun, build_run

from cnnbench.report.analysis.curves import Curve, curves
from cnnbench.report.figures.canvas import house_figure
from cnnbench.report.figures.cost import round_numbers
from cnnbench.report.figures.curves import Line, curves_picture, draw_lines
from cnnbench.report.figures.labels import clear_of, spread
from cnnbench.report.figures.style import Picture, Style, styles_of
from cnnbench.report.pages.html import PAGE_COLOURS
from cnnbench.report.pages.render import inline_svg
from cnnbench.report.sections import RunReport
from cnnbench.report.write import page_of
from cnnbench.schema.names import labels
from cnnbench.schema.result import Status
from cnnbench.store import RunFolder

positions = st.lists(st.floats(-5, 15), min_size=1, max_size=12)
quick = settings(derandomize=True, deadline=None, max_examples=100)


def draw_all(run: RunFolder) -> list[Picture]:
    return list(page_of(RunReport.read(run)).pictures.values())


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return build_run(tmp_path_factory.mktemp("four"), FOUR)


@pytest.fixture(scope="module")
def pictures(four: RunFolder) -> list[Picture]:
    return draw_all(four)


@quick
@given(positions)
def test_labels_keep_their_distance_order_and_bounds(wanted: list[float]) -> None:
    placed = spread(wanted, gap=0.7, low=0.0, high=10.0)
    in_order = placed[np.argsort(wanted, kind="stable")]
    assert np.all(np.diff(in_order) >= 0.7 - 1e-9)
    assert in_order[0] >= -1e-9
    assert in_order[-1] <= 10.0 + 1e-9


def test_labels_with_room_stay_where_they_are() -> None:
    assert spread([3.0, 1.0, 5.0], gap=1.0, low=0.0, high=9.0).tolist() == [3.0, 1.0, 5.0]


def test_labels_that_cannot_fit_share_the_room() -> None:
    assert spread([1.0] * 5, gap=9.0, low=0.0, high=4.0).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_run_has_its_five_pictures(pictures: list[Picture]) -> None:
    names = [picture.name for picture in pictures]
    assert names == ["accuracy", "curves-epochs", "curves-seconds", "trade", "clock"]


def test_the_clock_names_only_what_can_be_seen_in_it(tmp_path: Path) -> None:
    run = build_run(tmp_path, FakeRun(models=FOUR.models[:1]))
    (cell,) = run.plan().cells
    clock = next(picture for picture in draw_all(run) if picture.name == "clock").svg
    assert "checkpoints" in clock
    assert not {"logging", "gallery"} & set(re.findall(r"[a-z]+", clock))
    result = run.result(cell)
    seconds = result.seconds.model_copy(update={"gallery": 2.0, "checkpoint": 0.0})
    run.cell(cell).write_result(result.model_copy(update={"seconds": seconds}))
    clock = next(picture for picture in draw_all(run) if picture.name == "clock").svg
    assert "gallery" in clock
    assert "checkpoints" not in clock


def test_one_network_at_two_rates_has_no_trade_to_draw(tmp_path: Path) -> None:
    models = [FakeModel(name="alexnet", correct=60, lr=lr) for lr in (0.01, 0.001)]
    drawn = draw_all(build_run(tmp_path, FakeRun(models=models)))
    assert "trade" not in [picture.name for picture in drawn]


@quick
@given(st.floats(-7, 4), st.floats(0.45, 9))
def test_an_axis_of_costs_has_one_to_five_round_numbers(power: float, decades: float) -> None:
    low, high = 10.0**power, 10.0 ** (power + decades)
    shown = round_numbers(low, high)
    assert 1 <= len(shown) <= 5
    assert all(low <= value <= high for value in shown)
    assert all(f"{value:.0e}"[0] in "125" for value in shown)


def test_many_cells_are_drawn_as_a_mean_and_a_band(tmp_path: Path) -> None:
    few, many = (
        FakeRun(
            models=[
                FakeModel(name=name, correct=40 + seed, seed=seed)
                for name in ("a", "b")
                for seed in range(seeds)
            ]
        )
        for seeds in (3, 13)
    )
    drawn = [
        {pic.name: pic for pic in draw_all(build_run(tmp_path / str(len(run.models)), run))}
        for run in (few, many)
    ]
    for name in ("curves-epochs", "clock"):
        assert len(drawn[1][name].svg) < 1.3 * len(drawn[0][name].svg)
    assert "a, mean of 13" in drawn[1]["clock"].svg
    assert "a, seed 2" in drawn[0]["clock"].svg


def test_two_long_names_that_look_alike_when_shortened_keep_their_own_bars(tmp_path: Path) -> None:
    models = [FakeModel(name=f"{'x' * 30}{mid}{'x' * 30}", correct=60) for mid in "ab"]
    drawn = {pic.name: pic for pic in draw_all(build_run(tmp_path, FakeRun(models=models)))}
    assert "mean of" not in drawn["clock"].svg


def test_a_cell_that_ended_early_shortens_no_other_line(tmp_path: Path) -> None:
    models = [
        FakeModel(name=name, correct=40 + seed, seed=seed) for name in "ab" for seed in range(13)
    ]
    models[3] = replace(models[3], status="killed")
    run = build_run(tmp_path, FakeRun(models=models))
    names = labels(run.plan())
    styles = styles_of({name: name for name in names.values()})
    lines = [
        Line(label=curve.label, style=styles[curve.label], x=curve.epochs, y=curve.top1)
        for curve in curves(run, names)
    ]
    assert len({len(line.y) for line in lines}) == 2
    axes = SimpleNamespace(plotted=[], plot=lambda x, y, **_: axes.plotted.append((x, y)))
    axes.fill_between = lambda *_, **__: None
    draw_lines(axes, lines)  # type: ignore[arg-type]
    assert [len(x) for x, _ in axes.plotted] == [10, 10]
    assert all(np.isfinite(y).all() for _, y in axes.plotted)


def test_pictures_are_svg_with_real_text_and_png_of_twice_the_width(
    pictures: list[Picture],
) -> None:
    for picture in pictures:
        nodes = ElementTree.fromstring(picture.svg).iter()
        texts = {"".join(node.itertext()).strip() for node in nodes if node.tag.endswith("}text")}
        assert {"alexnet", "resnet18"} <= texts
        assert Image.open(io.BytesIO(picture.png)).size[0] == 1440


def test_the_alternative_text_states_the_finding(pictures: list[Picture]) -> None:
    assert pictures[0].alt.startswith("resnet18 is best: 80.5 % right")


def test_drawing_leaves_matplotlibs_settings_alone() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with house_figure(1.0):
        assert mpl.rcParams["text.parse_math"] is False
    assert dict(mpl.rcParams) == before


@given(st.lists(st.integers(1, 5), min_size=1, max_size=14))
def test_styles_tell_all_apart_and_a_network_has_one_colour(n_settings: list[int]) -> None:
    networks = {
        f"net{i} lr {lr}": f"net{i}" for i, count in enumerate(n_settings) for lr in range(count)
    }
    styles = styles_of(networks)
    looks = {(style.colour, style.marker, style.dash) for style in styles.values()}
    assert len(looks) == len(networks)
    for network in set(networks.values()):
        own = {styles[label].colour for label in networks if networks[label] == network}
        assert len(own) == 1 or len(n_settings) == 1


def test_a_network_keeps_its_colour_where_others_failed_and_on_every_rung(tmp_path: Path) -> None:
    def styles(path: Path, *statuses: Status) -> Mapping[str, Style]:
        models = [
            FakeModel(name=name, correct=60, status=status, budget=budget)
            for name, status in zip("abc", statuses, strict=True)
            for budget in ("1m", "2m")
        ]
        return RunReport.read(build_run(path, FakeRun(models=models))).styles

    whole = styles(tmp_path / "whole", "done", "done", "done")
    broken = styles(tmp_path / "broken", "failed", "done", "planned")
    assert whole.items() <= broken.items()
    assert broken["a at 1m"].colour == whole["a at 2m"].colour != whole["b at 2m"].colour
    assert broken["a at 1m"].dash != whole["a at 2m"].dash
    assert whole == {
        f"{name} at 2m": style
        for name, style in styles_of(dict(zip("abc", "abc", strict=True))).items()
    }


def test_a_run_without_any_result_still_has_its_picture(tmp_path: Path) -> None:
    run = build_run(tmp_path, FakeRun(models=(FakeModel(name="alexnet", status="planned"),)))
    (picture,) = draw_all(run)
    assert "planned" in picture.svg


def diverging(curve: Curve) -> Curve:
    loss = np.geomspace(1e-3, 1e4, len(curve.test_loss))
    loss[-1] = np.inf
    return replace(curve, test_loss=loss, train_loss=np.full_like(loss, np.nan))


def test_losses_that_explode_are_drawn_on_a_logarithmic_axis(four: RunFolder) -> None:
    names = labels(four.plan())
    wild = [diverging(curve) for curve in curves(four, names)]
    picture = curves_picture(
        wild, styles_of({name: name for name in names.values()}), "epochs", chance=None, alt=""
    )
    assert ">1000<" in picture.svg
    assert "mathdefault" not in picture.svg


def test_a_curve_follows_only_its_own_split(tmp_path: Path) -> None:
    fake = FakeRun(models=FOUR.models, curve_split="val")
    run = build_run(tmp_path, fake)
    lines = curves(run, labels(run.plan()))
    assert {curve.split for curve in lines} == {"val"}
    assert all(len(curve.top1) == fake.evaluations for curve in lines)


def test_an_inlined_picture_has_ids_of_its_own_and_the_pages_colours(
    pictures: list[Picture],
) -> None:
    trees = [ElementTree.fromstring(str(inline_svg(picture))) for picture in pictures]
    ids = [node.get("id") for tree in trees for node in tree.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    assert all(tree.get("aria-label") for tree in trees)
    assert all("var(--ink)" in str(inline_svg(picture)) for picture in pictures)


def test_an_inlined_picture_leaves_every_colour_to_the_page(pictures: list[Picture]) -> None:
    for picture in pictures:
        assert re.findall(r"(?:fill|stroke): #\w+", str(inline_svg(picture))) == []


def luminance(colour: str) -> float:
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_every_colour_of_a_picture_stands_out_from_a_dark_page() -> None:
    paper = luminance("#0d1117") + 0.05
    for _, dark in PAGE_COLOURS.values():
        assert (luminance(dark) + 0.05) / paper >= 3  # what WCAG asks of graphics


@settings(deadline=None)  # scipy is imported on the way
@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=5),
    st.lists(st.floats(0, 100), max_size=3),
)
def test_a_name_stands_on_no_line_and_on_no_other_name_where_there_is_room(
    wanted: list[float], passing: list[float]
) -> None:
    gap = 4.0
    levels = spread(wanted, gap=gap, low=0.0, high=100.0)
    placed = clear_of(levels, [np.array(passing)] * len(levels), gap=gap, high=100.0)
    assert ((placed >= 0) & (placed <= 100)).all()
    assert (np.diff(np.sort(placed)) >= 0.98 * gap).all()
    for place, level in zip(placed, levels, strict=True):
        assert place == level or all(abs(place - line) >= 0.5 * gap for line in passing)


def test_a_name_that_lines_pass_on_all_heights_stays() -> None:
    everywhere = np.arange(0.0, 20.0, 0.5)
    assert clear_of(np.array([5.0]), [everywhere], gap=2.0, high=20.0) == [5.0]


def test_a_narrow_page_has_pictures_of_its_own_with_the_same_words(tmp_path: Path) -> None:
    models = [*FOUR.models, FakeModel(name="b", status="oom", reason="out of memory")]
    drawn = draw_all(build_run(tmp_path, replace(FOUR, models=models)))
    narrow = {picture.name: picture.narrow for picture in drawn if picture.narrow}
    assert list(narrow) == [picture.name for picture in drawn]
    for svg in narrow.values():
        root = ElementTree.fromstring(svg)
        assert float(root.get("width", "").removesuffix("pt")) < 300
        texts = {"".join(n.itertext()).strip() for n in root.iter() if n.tag.endswith("}text")}
        assert {"alexnet", "resnet18"} <= texts
    assert "out of memory" in narrow["accuracy"]
