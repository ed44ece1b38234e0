from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from payloads import PAYLOADS

from cnnbench.report.text.escape import (
    csv_text,
    escape_latex,
    escape_markdown,
    shell_command,
    shorten,
    visible,
)
from cnnbench.report.text.table import Table, as_latex

quick = settings(derandomize=True, deadline=None, max_examples=150)
hostile_text = st.text(
    st.sampled_from("|\\`*_{}[]()<>#+-.!~$&;:/'\"=@ \t\n\u202eabw1x"), min_size=1, max_size=24
)


def leaves(markdown: str) -> list[Token]:
    parser = MarkdownIt("commonmark").enable("table")
    tokens = [t for token in parser.parse(markdown) for t in (token.children or [token])]
    return [token for token in tokens if token.content or token.nesting == 0]


def text_of(markdown: str) -> str:
    tokens = leaves(markdown)
    assert {token.type for token in tokens} <= {"text", "text_special"}, tokens
    return "".join(token.content for token in tokens)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markdown_shows_a_hostile_name_as_its_own_text(payload: str) -> None:
    assert text_of(f"- {escape_markdown(payload)}") == visible(payload).strip()


@quick
@given(hostile_text.filter(lambda text: visible(text).strip()))
def test_markdown_shows_any_text_in_a_sentence_as_it_is(text: str) -> None:
    assert text_of(escape_markdown(text.strip(" "))) == visible(text.strip(" "))


@quick
@given(hostile_text.filter(lambda text: visible(text).strip()))
def test_markdown_keeps_any_text_in_its_table_cell(text: str) -> None:
    table = f"| a | b |\n| --- | --- |\n| {escape_markdown(text)} | after |"
    assert text_of(table) == "ab" + visible(text).strip() + "after"


@quick
@given(st.text(max_size=40))
def test_visible_text_has_no_hidden_character(text: str) -> None:
    kept = {unicodedata.category(char) for char in visible(text) if char not in "\u200c\u200d"}
    assert not kept & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_ordinary_names_are_left_alone() -> None:
    names = ["resnet18", "timm:resnet50.a1", "p < 0.001", "+0.20 %", "98.44", "-3", "a-b (c)"]
    assert [escape_markdown(name) for name in names] == names


@pytest.mark.parametrize("payload", PAYLOADS)
def test_csv_holds_no_formula_and_keeps_the_text(payload: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerow([csv_text(payload)])
    (cell,) = next(csv.reader(io.StringIO(out.getvalue())))
    assert cell.lstrip()[:1] not in {"=", "+", "-", "@"}
    assert cell.removeprefix("'") == visible(payload).removeprefix("'")


def test_a_formula_after_a_no_break_space_is_found() -> None:
    assert csv_text("\u00a0=1") == "'\u00a0=1"


@pytest.mark.parametrize("payload", [*PAYLOADS, "it's $HOME", ""])
def test_a_shell_reads_a_word_back_as_it_was(payload: str) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    command = shell_command(["printf", "%s", payload])
    assert len(command.splitlines()) == 1
    done = subprocess.run(
        [bash, "-c", command], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    )
    assert done.stdout.decode() == payload


def test_a_long_name_is_cut_in_the_middle() -> None:
    assert len(shorten("x" * 255)) == 28
    assert shorten("resnet18") == "resnet18"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_latex_sees_no_command_of_a_hostile_name(payload: str) -> None:
    escaped = escape_latex(payload)
    commands = set(re.findall(r"\\([a-zA-Z]+)", escaped))
    assert commands <= {
        *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater"),
        *("textbar", "textquotedbl", "textasciigrave", "textquotesingle"),
    }
    bare = re.sub(r"\\[a-zA-Z]+\{\}|\\[{}$&#%_]|\{[\[\]-]\}", "", escaped)
    assert not set(bare) & set("\\{}$&#%_^~<>|\"[]-`'")


def test_a_latex_table_has_a_line_a_row_and_as_many_cells() -> None:
    table = Table(header=("a & b", "n"), align="lr", rows=(("x_1", "2 %"), ("y", "\u2013")))
    lines = as_latex(table).splitlines()
    assert lines[1] == "\\begin{tabular}{lr}"
    assert lines[3:7] == ["a \\& b & n \\\\", "\\midrule", "x\\_1 & 2 \\% \\\\", "y & -- \\\\"]
