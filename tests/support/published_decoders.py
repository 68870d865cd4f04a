"""Small folders of `diffusers`' unCLIP kind, with random weights."""

import json
from pathlib import Path

import torch

D = 16  # of the CLIP's vectors
TOKENS = ["<|startoftext|>", "<|endoftext|>", *(f"{letter}</w>" for letter in "abcdefgh"), *"abcdefgh"]


def unclip_folder(folder: Path) -> Path:
    """An UnCLIPImageVariationPipeline: 8 pixels, then 16."""
    from diffusers.models.unets.unet_2d import UNet2DModel
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.pipelines.deprecated.unclip.pipeline_unclip_image_variation import UnCLIPImageVariationPipeline
    from diffusers.pipelines.deprecated.unclip.text_proj import UnCLIPTextProjModel
    from diffusers.schedulers.scheduling_unclip import UnCLIPScheduler
    from transformers import CLIPTextModelWithProjection

    torch.manual_seed(0)
    tokenizer, text = _tokenizer(folder.with_name("tokens")), _text_config()
    decoder = UNet2DConditionModel(
        sample_size=8,
        in_channels=3,
        out_channels=6,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        block_out_channels=(8, 16),
        layers_per_block=1,
        cross_attention_dim=D,
        attention_head_dim=4,
        norm_num_groups=4,
        resnet_time_scale_shift="scale_shift",
        class_embed_type="identity",
    )
    finer = {
        "sample_size": 16,
        "layers_per_block": 1,
        "down_block_types": ("ResnetDownsampleBlock2D", "ResnetDownsampleBlock2D"),
        "up_block_types": ("ResnetUpsampleBlock2D", "ResnetUpsampleBlock2D"),
        "block_out_channels": (8, 16),
        "norm_num_groups": 4,
        "in_channels": 6,
        "out_channels": 3,
    }
    pipeline = UnCLIPImageVariationPipeline(
        decoder=decoder,
        text_encoder=CLIPTextModelWithProjection(text),
        tokenizer=tokenizer,
        text_proj=UnCLIPTextProjModel(clip_embeddings_dim=D, time_embed_dim=32, cross_attention_dim=D),
        feature_extractor=_feature_extractor(),
        image_encoder=_image_encoder(),
        super_res_first=UNet2DModel(**finer),
        super_res_last=UNet2DModel(**finer),
        decoder_scheduler=UnCLIPScheduler(variance_type="learned_range", num_train_timesteps=100),
        super_res_scheduler=UnCLIPScheduler(variance_type="fixed_small_log", num_train_timesteps=100),
    )
    pipeline.save_pretrained(folder)
    return folder


def stable_unclip_folder(folder: Path) -> Path:
    """A StableUnCLIPImg2ImgPipeline: latents of 8, pictures of 16 pixels."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.pipeline_stable_unclip_img2img import StableUnCLIPImg2ImgPipeline
    from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
    from transformers import CLIPTextModel

    torch.manual_seed(0)
    tokenizer, text = _tokenizer(folder.with_name("tokens")), _text_config()
    unet = UNet2DConditionModel(
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(8, 16),
        layers_per_block=1,
        cross_attention_dim=text.hidden_size,
        attention_head_dim=4,
        norm_num_groups=4,
        class_embed_type="projection",
        projection_class_embeddings_input_dim=2 * D,
    )
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
        block_out_channels=(8, 8),
        norm_num_groups=4,
        sample_size=16,
        latent_channels=4,
    )
    pipeline = StableUnCLIPImg2ImgPipeline(
        feature_extractor=_feature_extractor(),
        image_encoder=_image_encoder(),
        image_normalizer=StableUnCLIPImageNormalizer(embedding_dim=D),
        image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        tokenizer=tokenizer,
        text_encoder=CLIPTextModel(text),
        unet=unet,
        scheduler=DDIMScheduler(),
        vae=vae,
    )
    pipeline.save_pretrained(folder)
    return folder


def _text_config():
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        vocab_size=len(TOKENS),
        hidden_size=D,
        projection_dim=D,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=8,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )


def _image_encoder():
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=16,
        projection_dim=D,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
    )
    return CLIPVisionModelWithProjection(config)


def _feature_extractor():
    from transformers import CLIPImageProcessor

    return CLIPImageProcessor(crop_size={"height": 16, "width": 16}, size={"shortest_edge": 16})


def _tokenizer(folder: Path):
    from transformers import CLIPTokenizer

    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(TOKENS)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=8)
