"""Every loss against sentence-transformers, or against its formula written out."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch

from text2vec.training import losses
from text2vec.training.loss_table import LOSSES, find_loss
from text2vec.training.objectives import CALLS, evaluate_loss, make_head

TOLERANCE = 1e-6


class Columns(torch.nn.Module):
    """A model that returns the embeddings it is given."""

    def forward(self, features):
        return {"sentence_embedding": features["embedding"]}

    def get_embedding_dimension(self):
        return 8

    get_sentence_embedding_dimension = get_embedding_dimension
    device = torch.device("cpu")


def theirs(loss, columns, labels):
    features = [{"embedding": column} for column in columns]
    return loss(features, labels)


def rows(n_columns, n_rows=12, dim=8):
    torch.manual_seed(n_columns)
    return [torch.randn(n_rows, dim) for _ in range(n_columns)]


@pytest.fixture(scope="module")
def st():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sentence_transformers.sentence_transformer import losses as of_st
    return of_st


SCORED = torch.tensor([0.0, 1, 1, 2, 5, 3, 0, 4, 2.5, 1, 5, 0])


def test_the_table_and_the_functions_have_the_same_names():
    assert list(LOSSES) == list(CALLS)
    with pytest.raises(ValueError, match="unknown loss 'nope'; expected one of cosent"):
        find_loss("nope")


@pytest.mark.parametrize("scale", [20.0, 3.0])
def test_cosent_equals_sentence_transformers(st, scale):
    columns = rows(2)
    ours = evaluate_loss(find_loss("cosent"), columns, SCORED, {"scale": scale})
    assert ours.item() == pytest.approx(
        theirs(st.CoSENTLoss(Columns(), scale=scale), columns, SCORED).item(), abs=TOLERANCE
    )


def test_cosent_is_its_formula():
    scores, labels = torch.tensor([0.3, -0.2, 0.9]), torch.tensor([2.0, 1.0, 0.0])
    pairs = [(1, 0), (2, 0), (2, 1)]  # s_j - s_i for label_i > label_j
    total = 1 + sum(math.exp(20 * (scores[j] - scores[i]).item()) for j, i in pairs)
    assert losses.cosent_loss(scores, labels).item() == pytest.approx(math.log(total), rel=1e-5)


@pytest.mark.parametrize("n_pairs", [0, 1, 4])
def test_cosent_of_one_label_or_one_pair_is_zero_with_a_zero_gradient(n_pairs):
    scores = torch.rand(n_pairs, requires_grad=True)
    loss = losses.cosent_loss(scores, torch.ones(n_pairs))
    loss.backward()
    assert loss.item() == 0
    assert not scores.grad.any()


def test_angle_equals_sentence_transformers(st):
    columns = rows(2)
    ours = evaluate_loss(find_loss("angle"), columns, SCORED, {})
    expected = theirs(st.AnglELoss(Columns(), scale=20.0), columns, SCORED)
    assert ours.item() == pytest.approx(expected.item(), abs=1e-5)
    both = evaluate_loss(find_loss("angle"), columns, SCORED, {"cosent_weight": 0.5})
    cosent = evaluate_loss(find_loss("cosent"), columns, SCORED, {})
    assert both.item() == pytest.approx(ours.item() + 0.5 * cosent.item(), abs=1e-5)


def test_angle_refuses_an_odd_dimension():
    with pytest.raises(ValueError, match="5 dimensions are odd"):
        losses.angle_scores(torch.ones(1, 5), torch.ones(1, 5))


def test_cosine_mse_equals_sentence_transformers(st):
    columns, labels = rows(2), SCORED / 5
    ours = evaluate_loss(find_loss("cosine-mse"), columns, labels, {})
    expected = theirs(st.CosineSimilarityLoss(Columns()), columns, labels)
    assert ours.item() == pytest.approx(expected.item(), abs=TOLERANCE)


def test_softmax_equals_sentence_transformers(st):
    columns, labels = rows(2), torch.tensor([0, 1, 2] * 4)
    theirs_loss = st.SoftmaxLoss(Columns(), 8, num_labels=3)
    head = make_head(8, 3)
    head.load_state_dict(theirs_loss.classifier.state_dict(), strict=False)
    if theirs_loss.classifier.bias is None:
        head.bias.data.zero_()
    ours = evaluate_loss(find_loss("softmax"), columns, labels.float(), {"head": head})
    assert ours.item() == pytest.approx(theirs(theirs_loss, columns, labels).item(), abs=TOLERANCE)


@pytest.mark.parametrize("n_columns", [2, 3])
def test_info_nce_equals_sentence_transformers(st, n_columns):
    columns = rows(n_columns)
    ours = evaluate_loss(find_loss("info-nce"), columns, torch.zeros(12), {})
    expected = theirs(st.MultipleNegativesRankingLoss(Columns()), columns, None)
    assert ours.item() == pytest.approx(expected.item(), abs=1e-5)


def test_info_nce_takes_no_text_for_a_negative_of_itself():
    queries = torch.eye(2, 4)
    texts = torch.tensor([[0, 2], [1, 2]])  # both queries have the same right answer
    right = torch.ones(2, 4)
    options = {"texts": texts}
    loss = evaluate_loss(find_loss("info-nce"), [queries, right], torch.zeros(2), options)
    assert loss.item() == pytest.approx(0, abs=TOLERANCE)
    blind = evaluate_loss(find_loss("info-nce"), [queries, right], torch.zeros(2), {})
    assert blind.item() == pytest.approx(math.log(2), abs=TOLERANCE)


def test_symmetric_info_nce_is_the_mean_of_both_directions():
    a, b = rows(2)
    one, other = losses.info_nce_loss(a, b), losses.info_nce_loss(b, a)
    both = losses.info_nce_loss(a, b, symmetric=True)
    assert both.item() == pytest.approx((one + other).item() / 2, abs=TOLERANCE)


def test_triplet_equals_sentence_transformers(st):
    columns = rows(3)
    metric = st.TripletDistanceMetric.COSINE
    loss = st.TripletLoss(Columns(), distance_metric=metric, triplet_margin=0.3)
    ours = evaluate_loss(find_loss("triplet"), columns, torch.zeros(12), {})
    assert ours.item() == pytest.approx(theirs(loss, columns, None).item(), abs=TOLERANCE)


def test_distillation_equals_its_formulas(st):
    columns, targets = rows(1), rows(3)[2]
    ours = evaluate_loss(find_loss("distill-mse"), columns, targets, {})
    expected = theirs(st.MSELoss(Columns()), columns, targets)
    assert ours.item() == pytest.approx(expected.item(), abs=TOLERANCE)
    cosine = evaluate_loss(find_loss("distill-cosine"), columns, targets, {})
    expected = 1 - torch.nn.functional.cosine_similarity(columns[0], targets).mean()
    assert cosine.item() == pytest.approx(expected.item(), abs=TOLERANCE)


def test_correlation_distillation_is_numpys_correlation_of_all_pairs():
    columns = rows(2)
    teacher = torch.randn(12, 2, 5, generator=torch.Generator().manual_seed(3))
    ours = evaluate_loss(find_loss("distill-correlation"), columns, teacher, {})
    place = np.triu_indices(24, 1)
    cosines = []
    for texts in (torch.cat(list(columns)), torch.cat((teacher[:, 0], teacher[:, 1]))):
        unit = texts.double().numpy()
        unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
        cosines.append((unit @ unit.T)[place])
    assert ours.item() == pytest.approx(1 - np.corrcoef(*cosines)[0, 1], abs=TOLERANCE)
    two = torch.eye(2, requires_grad=True)
    nothing = losses.correlation_distillation_loss(two, two)
    nothing.backward()
    assert (nothing.item(), two.grad.abs().sum().item()) == (0.0, 0.0)


def test_translation_distillation_draws_every_column_to_one_target():
    columns = rows(2)
    teacher = torch.randn(columns[0].shape, generator=torch.Generator().manual_seed(3))
    labels = teacher[:, None].expand(-1, 2, -1)
    ours = evaluate_loss(find_loss("distill-translation"), columns, labels, {})
    cosine = torch.nn.functional.cosine_similarity
    expected = 1 - (cosine(columns[0], teacher).mean() + cosine(columns[1], teacher).mean()) / 2
    assert ours.item() == pytest.approx(expected.item(), abs=TOLERANCE)


def test_margin_mse_equals_sentence_transformers(st):
    columns, margins = rows(3), torch.linspace(-1, 1, 12)
    loss = st.MarginMSELoss(Columns(), similarity_fct=losses.cosine_scores)
    ours = evaluate_loss(find_loss("margin-mse"), columns, margins, {})
    assert ours.item() == pytest.approx(theirs(loss, columns, margins).item(), abs=TOLERANCE)


def test_matryoshka_equals_sentence_transformers(st):
    columns = rows(2)
    model = Columns()
    loss = st.MatryoshkaLoss(model, st.CoSENTLoss(model), matryoshka_dims=[8, 4, 2])
    ours = evaluate_loss(find_loss("cosent"), columns, SCORED, {}, [8, 4, 2])
    assert ours.item() == pytest.approx(theirs(loss, columns, SCORED).item(), abs=1e-5)
