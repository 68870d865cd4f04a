"""OpenCLIP's and OpenAI's format.

In reading order: `config_in` and `config_out` (`open_clip_config.json` to an architecture and back), `tensors` (their
names beside ours), `text_models` and `timm_towers` (what its configurations name and do not describe).
"""
