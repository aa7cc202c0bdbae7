from __future__ import annotations

import polib
from translations import aligned, page_texts, rows, sentences

PAGE = """<page xmlns="http://projectmallard.org/1.0/"><info><desc>{0}</desc></info>
<title>{1}</title><section><title>{2}</title><p>{3} <gui>{4}</gui>.</p></section></page>"""


def test_a_text_is_divided_after_its_sentences_and_between_their_quotes():
    assert sentences('We  wait. "Who is\nthere?" No one!') == [
        "We wait.",
        "Who is there?",
        "No one!",
    ]
    assert sentences("我们等。谁在那里？") == ["我们等。", "谁在那里？"]
    assert sentences("Ver. 2 of it") == ["Ver. 2 of it"]


def test_sentences_are_aligned_only_where_they_are_as_many_and_plain():
    pair = "We wait for the king. He will come soon.", "Czekamy na króla. Wkrótce przyjdzie tu."
    assert list(aligned(*pair, "pl")) == [
        ("We wait for the king.", "Czekamy na króla."),
        ("He will come soon.", "Wkrótce przyjdzie tu."),
    ]
    whole = "We wait for the king. He will come soon.", "Czekamy na króla, który wkrótce przyjdzie."
    assert list(aligned(*whole, "pl")) == [whole]
    for english, other in (
        ("Press <b>it</b> to go on.", "Naciśnij to, aby iść."),
        ("Too short.", "Za krótko."),
        ("The same words here.", "The same words here."),
        ("A translation that is cut.", "Tak."),
        ("%s has built a house.", "%s zbudował dom w mieście."),
    ):
        assert list(aligned(english, other, "pl")) == []


def test_pages_and_catalogues_give_each_english_sentence_once(tmp_path):
    help_folder = tmp_path / "usr/share/help"
    texts = {
        "C": ("Read the mail.", "All of the mail", "Sort the mail", "Sort it by date with", "Sort"),
        "pl": ("Czytaj pocztę.", "Cała poczta tutaj", "Sortuj pocztę", "Według daty w", "Sortuj"),
    }
    for locale, values in texts.items():
        path = help_folder / locale / "mail.page"
        path.parent.mkdir(parents=True)
        path.write_text(PAGE.format(*values), encoding="utf-8")
    (help_folder / "C/alone.page").write_text(PAGE.format(*texts["C"]), encoding="utf-8")
    assert list(page_texts(tmp_path, "pl"))[-1] == (
        "Sort it by date with Sort.",
        "Według daty w Sortuj.",
    )
    catalogue = polib.MOFile()
    for source, target in (
        ("female^I will go to the north.", "Pójdę na północ z tobą."),
        ("All of the mail", "Inna poczta niż tutaj"),
        ("It is not translated yet.", ""),
    ):
        catalogue.append(polib.MOEntry(msgid=source, msgstr=target))
    folder = tmp_path / "usr/share/locale/pl/LC_MESSAGES"
    folder.mkdir(parents=True)
    catalogue.save(str(folder / "game.mo"))
    found = {row["en"]: row["pl"] for row in rows(tmp_path, "pl")}
    assert found == {
        "All of the mail": "Cała poczta tutaj",
        "Sort it by date with Sort.": "Według daty w Sortuj.",
        "I will go to the north.": "Pójdę na północ z tobą.",
    }
