"""What does a run leave behind, and what does it say while it goes?

In reading order:

    folder          the run folder, and the guard that it stays one run
    log             the live line, log.jsonl and TensorBoard
    growth          how the matrix of one batch lights up while the model learns
    held_out_loss   the training's loss on held-out pairs
    overfitting     whether the pairs are learned by heart, read off the log
    curves          the curves as a picture, and as charts of the report
    card            the model card
    interruption    Ctrl-C, which saves before it ends
"""
