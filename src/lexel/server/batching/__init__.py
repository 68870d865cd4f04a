"""How are the inputs of many requests merged into few large calls of the towers, and each result sent to its request?

Read in this order:

    embedder       texts and pictures in, vectors out; equal inputs are computed once
    vector_cache   the vectors of recent inputs (least recently used)
    decoding       pictures to pixels, on threads of their own
    batcher        merges waiting inputs and sends them through the towers
    fair_queue     requests take turns
    served_encoder the Encoder that a library is searched with, on top of all this
"""
