"""OpenCLIP's tensors and ours, in tables. OpenAI's release has the same names, and so have most that came after it."""

from collections.abc import Iterable

from lexel.architectures.config import (
    CLIPConfig,
    ConvNeXtConfig,
    HuggingFaceTextConfig,
    ResNetConfig,
    TimmConfig,
    VisionTransformerConfig,
)
from lexel.checkpoints.formats.tensor_tables import TensorRow, repeated, table, under

BLOCK = table(
    ("ln_1.*", "attention_norm.*"),
    ("attn.in_proj_*", "attention.qkv.*"),
    ("attn.out_proj.*", "attention.output.*"),
    ("ln_2.*", "mlp_norm.*"),
    ("mlp.c_fc.*", "mlp.expand.*"),
    ("mlp.c_proj.*", "mlp.contract.*"),
)
LAYER_SCALE = table(("ls_1.gamma", "attention_gain"), ("ls_2.gamma", "mlp_gain"))

VISION_TRANSFORMER = table(
    ("conv1.weight", "stem.weight"),
    ("class_embedding", "class_embedding"),
    ("positional_embedding", "position_embedding"),
    ("ln_post.*", "final_norm.*"),
    ("proj", "projection.weight", "transposed"),
)
PRE_NORM = table(("ln_pre.*", "pre_norm.*"))
COCA_POOL = table(
    ("query", "queries"),
    ("ln_q.*", "query_norm.*"),
    ("ln_k.*", "key_norm.*"),
    ("attn.in_proj_bias", "query.bias + key.bias + value.bias"),
    ("attn.out_proj.*", "output.*"),
)
# PyTorch's attention keeps one tensor where the picture's width is that of the embedding, and three elsewhere.
COCA_POOL_SAME_WIDTH = table(("attn.in_proj_weight", "query.weight + key.weight + value.weight"))
COCA_POOL_OTHER_WIDTH = table(
    ("attn.q_proj_weight", "query.weight"),
    ("attn.k_proj_weight", "key.weight"),
    ("attn.v_proj_weight", "value.weight"),
)

TEXT_TRANSFORMER = table(
    ("token_embedding.weight", "token_embedding.weight"),
    ("positional_embedding", "position_embedding"),
    ("ln_final.*", "final_norm.*"),
)
TEXT_PROJECTION = {
    "none": [],
    "linear": table(("text_projection", "projection.weight", "transposed")),
    "linear_bias": table(("text_projection.*", "projection.*")),
}
TEXT_CLASS = table(("cls_emb", "class_embedding"))

RESNET = table(
    ("conv1.weight", "stem.first.0.weight"),
    ("bn1.**", "stem.first.1.**"),
    ("conv2.weight", "stem.second.0.weight"),
    ("bn2.**", "stem.second.1.**"),
    ("conv3.weight", "stem.third.0.weight"),
    ("bn3.**", "stem.third.1.**"),
    ("attnpool.positional_embedding", "pool.position_embedding"),
    ("attnpool.q_proj.*", "pool.query.*"),
    ("attnpool.k_proj.*", "pool.key.*"),
    ("attnpool.v_proj.*", "pool.value.*"),
    ("attnpool.c_proj.*", "pool.output.*"),
)
BOTTLENECK = table(
    ("conv1.weight", "reduce.0.weight"),
    ("bn1.**", "reduce.1.**"),
    ("conv2.weight", "mix.0.weight"),
    ("bn2.**", "mix.1.**"),
    ("conv3.weight", "expand.0.weight"),
    ("bn3.**", "expand.1.**"),
)
SHORTCUT = table(("downsample.0.weight", "shortcut.0.weight"), ("downsample.1.**", "shortcut.1.**"))

# timm's Vision Transformer, as SigLIP's image towers are stored.
TIMM_TRANSFORMER = table(
    ("patch_embed.proj.*", "stem.*"),
    ("pos_embed", "position_embedding", "one ahead"),
    ("norm.*", "final_norm.*"),
    ("attn_pool.latent", "pool.probe", "two ahead"),
    ("attn_pool.q.*", "pool.query.*"),
    ("attn_pool.kv.*", "pool.key.* + pool.value.*"),
    ("attn_pool.proj.*", "pool.output.*"),
    ("attn_pool.norm.*", "pool.norm.*"),
    ("attn_pool.mlp.fc1.*", "pool.mlp.expand.*"),
    ("attn_pool.mlp.fc2.*", "pool.mlp.contract.*"),
)
TIMM_BLOCK = table(
    ("norm1.*", "attention_norm.*"),
    ("attn.qkv.*", "attention.qkv.*"),
    ("attn.proj.*", "attention.output.*"),
    ("norm2.*", "mlp_norm.*"),
    ("mlp.fc1.*", "mlp.expand.*"),
    ("mlp.fc2.*", "mlp.contract.*"),
)
CONVNEXT = table(
    ("stem.0.*", "stem.convolution.*"),
    ("stem.1.*", "stem.norm.*"),
    ("head.norm.*", "final_norm.*"),
)
CONVNEXT_SHRINK = table(("downsample.0.*", "shrink.norm.*"), ("downsample.1.*", "shrink.convolution.*"))
CONVNEXT_BLOCK = table(
    ("conv_dw.*", "mix.*"),
    ("norm.*", "norm.*"),
    ("mlp.fc1.*", "mlp.expand.*"),
    ("mlp.fc2.*", "mlp.contract.*"),
    ("gamma", "gain"),
)
TIMM_HEAD = {
    "linear": table(("proj.weight", "projection.weight")),
    "linear_bias": table(("proj.*", "projection.*")),
    "mlp": table(("mlp.fc1.*", "projection.0.*"), ("mlp.fc2.weight", "projection.2.weight")),
    "mlp_bias": table(("mlp.fc1.*", "projection.0.*"), ("mlp.fc2.*", "projection.2.*")),
}
HUGGINGFACE_HEAD = {
    "none": [],
    "linear": table(("proj.weight", "projection.weight")),
    "linear_bias": table(("proj.*", "projection.*")),
    "mlp": table(("proj.0.weight", "projection.0.weight"), ("proj.2.weight", "projection.2.weight")),
}


def open_clip_rows(config: CLIPConfig, ours: Iterable[str], *, flat: bool) -> list[TensorRow]:
    """The table for a model whose tensors have the names `ours` here.

    `flat` is OpenCLIP's older manner, in which the text tower's tensors have no prefix.
    """
    ours = list(ours)
    return [
        *under("visual.", "image.", _image(config, ours)),
        *under("" if flat else "text.", "text.", _text(config, ours)),
        *table(("logit_scale", "logit_scale")),
        *(table(("logit_bias", "logit_bias")) if config.logit_bias else ()),
    ]


def _image(config: CLIPConfig, ours: list[str]) -> list[TensorRow]:
    image = config.image
    match image:
        case VisionTransformerConfig(pooling="map"):
            return under(
                "trunk.", "", [*TIMM_TRANSFORMER, *repeated(image.depth, "blocks.N.", "blocks.N.", TIMM_BLOCK)]
            )
        case VisionTransformerConfig():
            return _vision_transformer(image, config.embedding)
        case ResNetConfig():
            return _resnet(image)
        case ConvNeXtConfig():
            return [*under("trunk.", "", _convnext(image)), *under("head.", "", TIMM_HEAD[image.projection])]
        case TimmConfig():
            return [*_unchanged("trunk.", "image.", ours), *under("head.", "", TIMM_HEAD.get(image.projection, []))]


def _vision_transformer(image: VisionTransformerConfig, embedding: int) -> list[TensorRow]:
    rows = [*VISION_TRANSFORMER, *(PRE_NORM if image.pre_norm else [])]
    block = [*BLOCK, *(LAYER_SCALE if image.layer_scale else [])]
    rows += repeated(image.depth, "transformer.resblocks.N.", "blocks.N.", block)
    if image.pooling == "attention":
        weights = COCA_POOL_SAME_WIDTH if image.width == embedding else COCA_POOL_OTHER_WIDTH
        rows += under("attn_pool.", "pool.", [*COCA_POOL, *weights])
    return rows


def _resnet(image: ResNetConfig) -> list[TensorRow]:
    rows = list(RESNET)
    for stage, depth in enumerate(image.depths):
        rows += repeated(depth, f"layer{stage + 1}.N.", f"stages.{stage}.N.", BOTTLENECK)
        rows += under(f"layer{stage + 1}.0.", f"stages.{stage}.0.", SHORTCUT)
    return rows


def _convnext(image: ConvNeXtConfig) -> list[TensorRow]:
    rows = list(CONVNEXT)
    for stage, depth in enumerate(image.depths):
        rows += repeated(depth, f"stages.{stage}.blocks.N.", f"stages.{stage}.blocks.N.", CONVNEXT_BLOCK)
        if stage > 0:
            rows += under(f"stages.{stage}.", f"stages.{stage}.", CONVNEXT_SHRINK)
    return rows


def _text(config: CLIPConfig, ours: list[str]) -> list[TensorRow]:
    text = config.text
    if isinstance(text, HuggingFaceTextConfig):
        return [*_unchanged("transformer.", "text.", ours), *HUGGINGFACE_HEAD[text.projection]]
    rows = [*TEXT_TRANSFORMER, *TEXT_PROJECTION[text.projection]]
    block = [*BLOCK, *(LAYER_SCALE if text.layer_scale else [])]
    rows += repeated(text.depth, "transformer.resblocks.N.", "blocks.N.", block)
    return rows + (TEXT_CLASS if text.pooling == "class" else [])


def _unchanged(prefix: str, tower: str, ours: list[str]) -> list[TensorRow]:
    """A row for each tensor of another library's model, whose names are kept."""
    names = [name.removeprefix(tower) for name in ours if name.startswith(tower + prefix)]
    return [TensorRow((name,), (name,)) for name in names]
