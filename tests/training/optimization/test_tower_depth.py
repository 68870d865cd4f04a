import pytest
import torch
from tiny import tiny_recipe

from lexel.architectures.config import (
    CLIPConfig,
    ConvNeXtConfig,
    HuggingFaceTextConfig,
    TextTransformerConfig,
    TimmConfig,
)
from lexel.errors import UsageError
from lexel.models.clip import CLIP
from lexel.models.vision_transformer import VisionTransformer
from lexel.training.optimization.tower_depth import places

TEXT = TextTransformerConfig(context_length=8, vocabulary_size=20, end_of_text=19, width=16, depth=3, heads=1)


def layers_of(config: CLIPConfig) -> dict[str, int]:
    with torch.device("meta"):
        return {name: place.layer for name, place in places(CLIP(config)).items()}


def below_top(config: CLIPConfig) -> dict[str, int]:
    with torch.device("meta"):
        return {name: place.below_top for name, place in places(CLIP(config)).items()}


def test_blocks_of_transformers_are_counted_from_the_top():
    recipe = tiny_recipe(model={"architecture": "lexel-xs", "image": {"depth": 4, "pooling": "class"}})
    found = below_top(recipe.architecture())
    bottom = [name for name, below in found.items() if name.startswith("image") and below == 5]
    assert {name.split(".")[1] for name in bottom} == {"stem", "class_embedding", "position_embedding", "pre_norm"}
    assert [found[f"image.blocks.{block}.mlp.expand.weight"] for block in range(4)] == [4, 3, 2, 1]
    assert found["text.token_embedding.weight"] == found["text.position_embedding"] == 3
    assert [found[f"text.blocks.{block}.attention.qkv.bias"] for block in range(2)] == [2, 1]
    for name in ("image.final_norm.weight", "image.projection.weight", "text.projection.weight", "logit_scale"):
        assert found[name] == 0


def test_each_bottleneck_of_a_resnet_is_a_layer():
    found = layers_of(tiny_recipe(model={"architecture": "lexel-s"}).architecture())  # depths 1, 2, 2, 1
    assert found["image.stem.third.0.weight"] == 0
    firsts = [f"image.stages.{stage}.{block}.mix.0.weight" for stage, block in ((0, 0), (1, 0), (1, 1), (2, 0), (3, 0))]
    assert [found[name] for name in firsts] == [1, 2, 3, 4, 6]
    assert found["image.pool.position_embedding"] == found["image.pool.output.weight"] == 7


def test_a_convnexts_shrinking_counts_to_the_block_before_it():
    image = ConvNeXtConfig(image_size=64, width=8, depths=(1, 2, 1, 1))
    found = layers_of(CLIPConfig(embedding=8, image=image, text=TEXT))
    assert found["image.stem.convolution.weight"] == 0
    assert found["image.stages.1.shrink.convolution.weight"] == found["image.stages.0.blocks.0.gain"] == 1
    assert [found[f"image.stages.{s}.blocks.{b}.mlp.expand.weight"] for s, b in ((1, 0), (1, 1), (3, 0))] == [2, 3, 5]
    assert found["image.final_norm.weight"] == found["image.projection.weight"] == 6


def huggingface(model: dict[str, object]) -> CLIPConfig:
    image = tiny_recipe().architecture().image
    text = HuggingFaceTextConfig(model=model, context_length=8, vocabulary_size=20, end_of_text=2, pad_id=1)
    return CLIPConfig(embedding=8, image=image, text=text)


LAST = "encoder.layer.2.output.dense.bias"
BERT = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16}
T5 = {"vocab_size": 20, "d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 2, "num_heads": 2}
SHARED = BERT | {"embedding_size": 8}


@pytest.mark.parametrize(
    ("model", "stem", "last", "top"),
    [
        ({"model_type": "xlm-roberta"} | BERT, "embeddings.word_embeddings.weight", LAST, 4),
        ({"model_type": "mt5"} | T5, "embed_tokens.weight", "block.1.layer.1.DenseReluDense.wo.weight", 3),
    ],
)
def test_the_layers_of_transformers_towers_are_found(model, stem, last, top):
    found = layers_of(huggingface(model))
    assert found[f"text.transformer.{stem}"] == 0
    assert found[f"text.transformer.{last}"] == top - 1
    assert found["text.projection.weight"] == top


def test_a_tower_whose_blocks_share_their_weights_is_refused():
    with pytest.raises(UsageError, match=r'text tower "albert"(?s:.*)Leave optimizer\.layer_decay at 1'):
        layers_of(huggingface({"model_type": "albert"} | SHARED))


def test_a_tower_whose_blocks_cannot_be_told_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(VisionTransformer, "parameter_layers", lambda _: None)
    monkeypatch.setattr(VisionTransformer, "name", "made_up")
    with pytest.raises(UsageError, match='image tower "made_up"'):
        layers_of(tiny_recipe().architecture())


def test_with_timm_every_weight_of_its_towers_has_a_place():
    pytest.importorskip("timm", reason="timm is not installed: pip install 'lexel[timm]'")
    image = TimmConfig(model="eva02_tiny_patch14_224", image_size=224, pool="token", projection="trunk")
    found = layers_of(CLIPConfig(embedding=8, image=image, text=TEXT))
    assert found["image.trunk.pos_embed"] == 0
    assert [found[f"image.trunk.blocks.{block}.norm1.weight"] for block in (0, 11)] == [1, 12]
    assert found["image.trunk.head.weight"] == 13
