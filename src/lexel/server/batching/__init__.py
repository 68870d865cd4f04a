"""How do inputs of many requests become few large calls of the towers, and what comes back to whom?

Read in this order:

    embedder       texts and pictures in, vectors out; equal inputs are computed once
    vector_cache   the vectors of what was asked lately
    decoding       pictures to pixels, on threads of their own
    batcher        what waits is merged and sent through the towers
    fair_queue     requests take turns
    served_encoder the Encoder that a library is searched with, on top of all this
"""
