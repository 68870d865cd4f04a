"""What does a run learn from, and where does it begin?

In reading order:

    input_reader       reads what a recipe names, each source and each model once
    training_data      the pairs to learn from, the pairs held out, and the tokenizer of their captions
    starting_weights   weights taken over from other models, and the CLIP that takes the first step
    embedding_cache    embeddings of a frozen tower, computed once
    picture_memory     hashes of the pictures that the run has learned from
"""
