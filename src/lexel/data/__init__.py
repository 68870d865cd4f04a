"""What is there to train on and to measure with, and how does it become batches? In reading order:

`pairs` (a Pair, its Picture, a Source), `compact_pairs` and `texts` (many of them as arrays), `readers` (folders and
tables), `shards` (tars), `packing` (sources made tars), `scenes` (made-up pictures), `image_arguments` (pictures that a
command line names), `audit` (what is wrong with a source), `captions` (which text is shown), `augment` and `views`
(random views, drawn and as pixels), `order` (which sample comes when), `decoded_cache` (decoded pictures for later
epochs), `frozen_vectors` (embeddings of frozen towers), `picture_hash` and `bad_images` (pictures learned from,
pictures left out), and `loader` (batches). `views` and `loader` alone import torch.
"""
