from __future__ import annotations

from help_pages import mixed_rows, read_page

PAGE = """<html><body><aside>Menu</aside><div id="DisplayArea">
<h1 id="p1"><a name="b"></a>Macro  security</h1>
<p>Press <span class="switch"><span hidden="true" id="MACp1">Cmd</span><span hidden="true"
id="defaultp1">Ctrl<br>+S</span></span>.</p><table><tr><td>One</td><td>Two</td></tr></table>
<div class="relatedtopics"><p>Elsewhere</p></div></div>
<footer><p>Debug</p></footer></body></html>"""


def test_a_page_is_read_without_menus_other_systems_and_links():
    assert read_page(PAGE) == ("Macro security", "Press Ctrl+S. One Two")


def test_mixed_rows_join_two_languages_of_one_page():
    pages = {
        language: {path: (f"{language} {path}", f"text {language} {path}") for path in ("a", "b")}
        for language in ("de", "en", "zh")
    }
    pages["zh"]["c"] = ("alone", "text")
    rows = list(mixed_rows(pages))
    assert len(rows) == 2  # three languages make one pair; one language makes none
    for row in rows:
        asks, path = row["title"].split()
        _, answers, same = row["body"].split()
        assert asks != answers
        assert path == same
    assert rows == list(mixed_rows(dict(reversed(pages.items()))))
