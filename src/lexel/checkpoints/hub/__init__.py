"""Published checkpoints by name: where they lie on this machine, and fetching them.

In reading order: `locate` (a name to files, and pulling them), `pretrained` with `pretrained.toml` (the named
checkpoints), `choose_files` (which files of a repository are the model), `cache` (the hub's and Lexel's own).
"""
