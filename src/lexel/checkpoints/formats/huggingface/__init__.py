"""transformers' format: `config_in` reads its configurations and holds the names of its tensors beside ours,
`processor_in` reads how pictures are prepared, `config_out` writes both.
"""
