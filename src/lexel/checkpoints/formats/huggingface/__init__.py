"""transformers' format: `config_in` reads its configurations and holds the names of its tensors beside ours,
`config_out` writes configurations.
"""
