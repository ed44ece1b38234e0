from __future__ import annotations

from cnnbench.report.sections.departures import article, article_sentences, article_table, verdicts


def test_the_counts_give_the_printed_percentages() -> None:
    total = article().test_images
    for model in article().models:
        assert round(100 * model.correct / total, 2) == model.printed_top1


def test_the_article_proves_two_of_its_six_pairs() -> None:
    proven = {(v.better, v.worse) for v in verdicts() if v.decision.separated}
    assert proven == {("ResNet", "AlexNet"), ("ResNet", "VGG")}


def test_the_articles_table_marks_who_is_tied() -> None:
    ties = {line[0]: line[4] for line in article_table().rows}
    assert ties == {"ResNet": "a", "GoogLeNet": "ab", "AlexNet": "b", "VGG": "b"}


def test_the_article_is_said_to_separate_alexnet_from_vgg_by_nothing() -> None:
    assert article_sentences()[2].endswith("AlexNet and VGG, p = 0.85.")
