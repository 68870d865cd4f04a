import numpy as np
import torch
from torch.nn import functional

from lexel.generation.learning.embeddings import EmbeddedPairs
from lexel.generation.pictures.learners import PriorLearner
from lexel.generation.pictures.prior import Prior, PriorSettings

SMALL = PriorSettings(width=32, depth=1)


def two_kinds() -> EmbeddedPairs:
    """Pictures near two places, each with its own text: pairs are never read."""
    random = np.random.default_rng(0)
    places = functional.normalize(torch.eye(6)[:2]).numpy()
    kinds = np.arange(200) % 2
    pictures = functional.normalize(torch.from_numpy(places[kinds] + 0.1 * random.normal(size=(200, 6)))).float()
    texts = functional.normalize(torch.eye(6)[3:5] + 0.1).numpy()
    return EmbeddedPairs([None] * 200, pictures.numpy(), ["one", "other"], texts, [[int(kind)] for kind in kinds])


def test_the_prior_finds_the_pictures_of_each_text():
    torch.manual_seed(0)
    data, prior = two_kinds(), Prior(SMALL, 6)
    learner = PriorLearner(prior, data, 64, 0)
    optimizer = torch.optim.Adam(prior.parameters(), 5e-3)
    for step in range(150):
        optimizer.zero_grad()
        learner.loss(step).backward()
        optimizer.step()
    texts = torch.from_numpy(data.text_vectors).repeat_interleave(20, dim=0)
    noise = torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
    found = prior.sample(texts, noise, steps=8, guidance=1.0)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(40), atol=1e-5, rtol=0)
    nearest = (found @ torch.eye(6)[:2].T).argmax(1)
    assert (nearest == torch.arange(40) // 20).float().mean() > 0.9


def test_a_text_that_is_left_out_changes_nothing():
    prior = Prior(SMALL, 6)
    for parameter in prior.parameters():  # zeros at the start would hide it
        torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(0))
    points, times = torch.randn(2, 6), torch.rand(2)
    texts = torch.randn(2, 2, 6)
    kept = torch.tensor([True, False])
    one, other = (prior(points, times, given, kept) for given in texts)
    assert not torch.allclose(one[0], other[0])
    torch.testing.assert_close(one[1], other[1])


def test_vectors_are_standardized_and_brought_back():
    prior = Prior(SMALL, 6)
    prior.pictures.fit(two_kinds().pictures)
    vectors = torch.from_numpy(two_kinds().pictures)
    standard = prior.pictures(vectors)
    torch.testing.assert_close(standard.mean(0), torch.zeros(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(standard.std(0, correction=0), torch.ones(6), atol=1e-3, rtol=0)
    torch.testing.assert_close(prior.pictures.undo(standard), vectors, atol=1e-5, rtol=0)
