"""The losses of a batch, and which of its texts are right for which images.

- `contrastive`: what is computed, in eight lines of plain torch, and the choice of the loss;
- `settings`: what a recipe may ask for;
- `positives`: the right answers of each image, known by groups;
- `softmax` and `sigmoid`: both losses with their gradients, tile by tile and across processes;
- `tiles`: the tiles of the matrix of logits, and the precision of their products.
"""
