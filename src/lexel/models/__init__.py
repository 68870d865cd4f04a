"""CLIP models: towers as torch modules. What they are made of, as data, is in `lexel.architectures`.

- `clip`: the two towers and their temperature, how they are built and initialised;
- `towers`: what is asked of any tower. The kinds are `vision_transformer`, `text_transformer`, `resnet`, `convnext`
  and, of other libraries, `timm` and `huggingface` (`outside` has what these two need);
- `layers`: what towers are built of;
- `resize`: weights for another image size or context length.

To add a tower: settings in `architectures/config.py`, a subclass of `Tower` in a module of its own, a case in `clip`
(build, initialise) and in `architectures/cost.py`. Nothing in `lexel.training` changes.
"""
