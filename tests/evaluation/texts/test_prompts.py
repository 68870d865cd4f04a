import numpy as np
import pytest
from colour_encoder import ColourEncoder

from lexel.data.captions import fill
from lexel.errors import UsageError
from lexel.evaluation.classifier import label_embeddings
from lexel.evaluation.texts.prompts import Prompts, read_prompts
from lexel.evaluation.texts.wording import LabelWords


def test_a_label_is_shown_by_each_of_its_names_in_each_template():
    prompts = Prompts(("a {}", "the {}"), {"crane": LabelWords(("crane bird", "heron"))})
    assert prompts.of("crane") == ["a crane bird", "the crane bird", "a heron", "the heron"]
    assert prompts.of("dog") == ["a dog", "the dog"]


def test_descriptions_stand_behind_every_name():
    prompts = Prompts(("{}.",), {"crane": LabelWords(("crane", "heron"), ("long legs", "a bird"))})
    assert prompts.of("crane") == [
        "crane, which has long legs.",
        "crane, which is a bird.",
        "heron, which has long legs.",
        "heron, which is a bird.",
    ]


def test_the_vector_of_a_label_is_the_mean_over_names_and_templates():
    encoder = ColourEncoder()
    prompts = read_prompts(["a {}", "{} and green"], {"warm": ["red", "yellow"], "cold": {"names": ["blue"]}})
    warm, cold = label_embeddings(encoder, ["warm", "cold"], prompts)
    for label, found in (("warm", warm), ("cold", cold)):
        mean = encoder.embed_texts(prompts.of(label)).astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-6)  # float32 sums


def test_words_for_other_labels_are_refused_and_those_for_some_are_named():
    prompts = read_prompts("plain", {"crane": "heron"})
    assert prompts.unsaid(["crane", "dog"]) == ["dog"]
    with pytest.raises(UsageError, match="it is about crane"):
        prompts.unsaid(["cat", "dog"])


def test_a_label_with_braces_is_put_in_unchanged():
    assert fill("a {} and {}", "{x}") == "a {x} and {x}"
