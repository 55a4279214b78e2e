from __future__ import annotations

from collections.abc import Callable

import pytest

from monitor.markup.html import Markup, element, join, number, shortened
from tests.support.harmful_texts import TEXTS, assert_all_is_seen, assert_harmless, marked
from tests.support.reported_runs import ParsedPage

DANGEROUS = "<script>alert(1)</script>\" onload='x' & <b>"


def test_text_is_escaped_and_markup_stays_as_it_is() -> None:
    assert element("p", "a < b & c", Markup("<br>")) == "<p>a &lt; b &amp; c<br></p>"


def test_attributes_are_escaped_and_unknown_ones_left_out() -> None:
    made = element("a", class_='x" y="', aria_label="<b>", hidden=None, open=False, download=True)
    assert made == '<a class="x&quot; y=&quot;" aria-label="&lt;b&gt;" download></a>'


def test_content_may_be_nested_and_none_is_left_out() -> None:
    assert join(["a", ["b", None, [3, 4.25]]]) == "ab34.2"


def test_an_empty_element_has_no_end() -> None:
    assert element("meta", charset="utf-8") == '<meta charset="utf-8">'


def test_coordinates_are_short() -> None:
    assert [number(value) for value in (3.0, 3.04, 3.06, -0.25)] == ["3", "3", "3.1", "-0.2"]


def test_a_text_of_any_length_is_shortened_as_it_is_shown() -> None:
    assert shortened("\x1b" * 100, 10) == r"\x1b\x1b\…"


def test_no_element_or_attribute_comes_of_a_text() -> None:
    page = ParsedPage(element("p", DANGEROUS, title=DANGEROUS))
    assert (page.tags, page.text, page.values("title")) == (["p"], DANGEROUS, [DANGEROUS])


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_whatever_a_text_contains_the_page_is_harmless_and_shows_everything(
    texts: Callable[[int], list[str]],
) -> None:
    given = texts(10_000)
    page = ParsedPage(element("ul", [element("li", each, title=each) for each in marked(given)]))
    assert_harmless("\n".join([page.text, *page.values("title")]))
    assert_all_is_seen(page.text, given)
    assert set(page.tags) == {"ul", "li"}
