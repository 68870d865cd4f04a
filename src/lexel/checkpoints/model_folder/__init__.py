"""The model folder: all that training produces and all that use needs.

In reading order: `folder` (writing and opening one), `pieces` (each is the file that the folder was written with),
`soundness` (sizes within reason, numbers that are finite), `exported` (towers as ONNX in place of weights),
`training_pictures` (hashes of what it has learned from).
"""
