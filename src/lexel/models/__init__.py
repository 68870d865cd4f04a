"""CLIP models: their settings, their towers as torch modules, and what they cost.

- `config`: what a CLIP is made of, as data; `zoo/`: named architectures; `cost`: their parameters and operations. These
  need no torch;
- `clip`: the two towers and their temperature, how they are built and initialised;
- `towers`: what is asked of any tower. The kinds are `vision_transformer`, `text_transformer`, `resnet`, `convnext`
  and, of other libraries, `timm` and `huggingface` (`outside` has what these two need);
- `transformer` and `attention`: the blocks; `packing`: captions without padding; `pooling` and `positions`: the ends of
  a tower;
- `resize`: weights for another image size or context length.

To add a tower: settings in `config`, a subclass of `Tower` in a module of its own, a case in `clip` (build, initialise)
and in `cost`. Nothing in `lexel.training` changes.
"""
