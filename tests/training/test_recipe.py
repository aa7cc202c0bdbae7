"""Recipes: every wrong key and value is named with its place; the ones we ship can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from text2vec.training.recipe import parse_recipe, read_recipe

SOURCE = '[[source]]\nname = "a"\nfiles = ["a.jsonl"]\nloss = "cosent"\nscale = [0, 5]\n'
EVALUATION = '[[evaluation]]\nname = "e"\nfiles = ["e.jsonl"]\n'
RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_shipped_recipes_can_be_read(path):
    assert read_recipe(path).title


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sead = 1\n" + SOURCE, "unknown key 'sead'; expected one of source, model"),
        ('steps = "many"\n' + SOURCE, "steps is 'many'; expected a whole number"),
        ("steps = true\n" + SOURCE, "steps is True; expected a whole number"),
        ("steps = -1\n" + SOURCE, "steps is -1; expected 0 or more"),
        ('dtype = "int8"\n' + SOURCE, "dtype is 'int8'; expected float32, bfloat16"),
        ("patience = 2\n" + SOURCE, "patience needs an"),
        ("seed = 1", r"source: expected at least one \[\[source\]\]"),
        ('[[source]]\nname = "a"\nloss = "cosent"', "the key 'files' is missing"),
        (SOURCE + 'los = "x"', r"\[\[source\]\] 1 \('a'\): unknown key 'los'"),
        (SOURCE + "weight = -1", r"\[\[source\]\] 1 \('a'\): weight is -1"),
        (SOURCE + 'columns = ["a"]', r"columns is \['a'\]; expected the names of two texts and"),
        (SOURCE + "options = {margin = 1}", "cosent has no 'margin'; expected scale"),
        (SOURCE.replace("cosent", "nope"), "unknown loss 'nope'"),
        (SOURCE.replace("[0, 5]", "[5, 0]"), r"scale is \[5.0, 0.0\]"),
        (SOURCE + SOURCE, "are not all different"),
        (SOURCE + "every = 2", "every one has 'every'"),
        (SOURCE + "join = [1, 2]", "join is for distillation"),
        (SOURCE + '[[evaluation]]\nname = "e"\nfiles = []', r"\[\[evaluation\]\] 1 \('e'\): files"),
        ("source = 3", "source is 3; expected"),
        ("seed = -1\n" + SOURCE, "seed is -1; expected 0 to 4294967295"),
        ("seed = 4294967296\n" + SOURCE, "seed is 4294967296; expected 0 to 4294967295"),
        (f"steps = 1{400 * '0'}\n" + SOURCE, "steps is 10*; expected 0 to"),
        ("lora_alpha = -2\n" + SOURCE, "lora_alpha is -2.0; expected 0 or more"),
        ("learning_rate = nan\n" + SOURCE, "learning_rate is nan; expected finite numbers"),
        ("epochs = inf\n" + SOURCE, "epochs is inf; expected finite numbers"),
        (SOURCE + "batch_pairs = -5\nevery = 1", "batch_pairs is -5; expected 0, or 1 or more"),
        (SOURCE + "max_length = 2", "max_length is 2; expected 0, or 3 or more"),
        (SOURCE + "sub_batch = -1", "sub_batch is -1; expected 0 or more"),
        (SOURCE + "loss_weight = -1", "loss_weight is -1.0; expected 0 or more"),
        (SOURCE + "share = 1.5", "share is 1.5; expected 0 to 1"),
        (SOURCE + "matryoshka = [32, 0]", r"matryoshka is \[32, 0\]; expected 1 or more"),
        (SOURCE + "minimum = nan", "minimum is nan; expected finite numbers"),
        (SOURCE + "options = {scale = nan}", "options is {'scale': nan}; expected finite numbers"),
        (SOURCE.replace("[0, 5]", "[0, nan]"), r"scale is \[0.0, nan\]; expected finite numbers"),
        (
            SOURCE + EVALUATION + "rows = -5",
            r"\[\[evaluation\]\] 1 \('e'\): rows is -5; expected 0",
        ),
        (SOURCE + EVALUATION + "weight = nan", "weight is nan; expected finite numbers"),
        (SOURCE + EVALUATION + "weight = 0", "every weight is 0; expected one above it"),
        (SOURCE + EVALUATION + EVALUATION, r"the names are \['e', 'e'\]; expected different ones"),
        (SOURCE + EVALUATION.replace('"e"', '"mean"'), "none 'mean', which is the mean of all"),
    ],
)
def test_a_wrong_recipe_is_named_with_its_place(tmp_path, text, message):
    (tmp_path / "r.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        parse_recipe(text)
    with pytest.raises(ValueError, match=r"r\.toml"):
        read_recipe(tmp_path / "r.toml")


def test_values_at_the_ends_of_their_ranges_are_taken():
    more = "batch_pairs = 0\nmax_length = 0\nminimum = -1.5\nmatryoshka = [1]\nloss_weight = 0"
    found = parse_recipe("max_length = 3\nmerge = 1\n" + SOURCE + more)
    assert (found.max_length, found.source[0].max_length) == (3, 0)


def test_no_file_and_no_toml_are_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such recipe"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "r.toml").write_text("= 1", encoding="utf-8")
    with pytest.raises(ValueError, match=r"r\.toml: "):
        read_recipe(tmp_path / "r.toml")
