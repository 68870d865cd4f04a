"""Other libraries' checkpoints: recognised by what is in them, read without running anything, and written bit for bit.

In reading order: `read` (a file or folder to a model in Lexel's terms), `weight_files` with `torch_files` and `pickles`
(files to named arrays), `find_towers` (the model among them), `infer` (an architecture from shapes), `tensor_tables`
(their names beside ours, in both directions), `open_clip` and `huggingface` (each library's configurations and tables),
`tokenizer` (which one belongs to a model), `write` (the way back), `arrays` (number formats of files).
"""
