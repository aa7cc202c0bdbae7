from news import pair_rows


def test_the_other_articles_are_those_that_share_most():
    articles = [
        {"first": "abcd", "second": "abce"},
        {"first": "abcf", "second": "abcg"},
        {"first": "wxyz", "second": "abzz"},
        {"first": "1234", "second": "5678"},
    ]
    rows = list(pair_rows(articles, "first", "second"))
    assert [row["score"] for row in rows] == [1, 0, 0] * 4
    assert [row["sentence2"] for row in rows[:3]] == ["abce", "abcg", "abzz"]
    assert all(row["sentence1"] == "abcd" for row in rows[:3])
