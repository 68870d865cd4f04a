"""Export to ONNX, each number format compared with torch before it is offered. Needs the extra `export`.

In reading order: `export` (the whole of it), `graph` (a tower as a graph, rounded or quantised), `agreement` (how near
an export comes to torch, and whether that is near enough).
"""
