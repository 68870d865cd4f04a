"""Towers as ONNX graphs: written from torch, kept in half the space, and quantised to 8 bits. Needs the extra `export`.

A graph has one input (`pixels` or `ids`) and one output (`vectors`, not of unit length), with a free batch size and,
for text, a free length.
"""

import io
import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lexel.errors import ModelError
from lexel.extras import missing_library

OPSET = 20  # the first with GELU as one operator
MAX_GRAPH_BYTES = 1_500_000_000  # protobuf ends at 2 GB, and larger weights go into a file of their own
MIN_ROUNDED_NUMBERS = 1024  # what is smaller saves nothing


def write_graph(tower: nn.Module, example: Tensor, free: dict[int, Any], name: str, path: Path) -> None:
    """Write a tower as an ONNX file, or two where its weights are large. Raises ModelError when torch cannot.

    `example` is any input, `free` holds torch.export's sizes of the axes that are not fixed, and `name` is the input's.
    """
    needs("onnx", "onnxscript")
    size = sum(parameter.numel() * 4 for parameter in tower.parameters())
    try:
        with _quiet():
            program = torch.onnx.export(
                tower,
                (example,),
                dynamo=True,
                input_names=[name],
                output_names=["vectors"],
                dynamic_shapes=(free,),
                opset_version=OPSET,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise ModelError(f"torch cannot write this {type(tower).__name__} as ONNX: {reason}") from None
    assert program is not None  # it is None without `dynamo`
    for node in program.model.graph:
        node.metadata_props.clear()  # where in which file of this machine the node comes from
    program.save(path, external_data=size > MAX_GRAPH_BYTES)


def round_weights(source: Path, target: Path) -> None:
    """Write the graph again with its large weights in float16, cast to float32 where they are used.

    Half the size on disk; runtimes cast once, when they open it. Sums stay in float32 and so does the speed: CPUs
    without float16 arithmetic would only lose by it.
    """
    import onnx

    model = onnx.load(source)
    _round(model)
    _save(model, target)


def quantise(source: Path, target: Path, inputs: Iterable[dict[str, np.ndarray]]) -> None:
    """Write the graph again with 8-bit products, their ranges fixed by what flows through it for these inputs.

    Fixed ranges, because with those taken from each batch a vector would depend on its neighbours in the batch. What is
    not quantised is kept in float16. Convolutions are not, because OpenVINO runs some such in float32 and others not at
    all; and lookups are not, because ONNX Runtime would expand the whole table for each call.
    """
    needs("onnx", "nncf")
    import nncf
    import onnx

    samples = list(inputs)
    with _quiet():
        quantised = nncf.quantize(
            onnx.load(source),
            nncf.Dataset(samples),
            subset_size=len(samples),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(types=["Conv", "Gather"], validate=False),
        )
    _round(quantised)
    _save(quantised, target)


def _round(model: Any) -> None:
    """Keep the large float32 weights of an ONNX model in float16, with a node that casts each back."""
    from onnx import TensorProto, helper, numpy_helper

    kept, casts = [], []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        large = values.dtype == np.float32 and values.size >= MIN_ROUNDED_NUMBERS
        if large and np.abs(values).max() <= np.finfo(np.float16).max:
            stored = f"{weight.name}.float16"
            kept.append(numpy_helper.from_array(values.astype(np.float16), stored))
            casts.append(helper.make_node("Cast", [stored], [weight.name], to=TensorProto.FLOAT))
        else:
            kept.append(weight)
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)


def files_of(path: Path) -> list[Path]:
    """The file of a graph, and that of its weights where they are apart."""
    return sorted(path.parent.glob(f"{path.name}*"))


def needs(*libraries: str) -> None:
    """Raise UsageError where one of these is not installed."""
    for library in libraries:
        try:
            import_module(library)
        except ImportError as error:
            raise missing_library("Exporting", library, error) from None


def _save(model: Any, path: Path) -> None:
    import onnx

    if model.ByteSize() > MAX_GRAPH_BYTES:
        onnx.save(model, path, save_as_external_data=True, location=f"{path.name}.data")
    else:
        onnx.save(model, path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch and NNCF print about their inner workings, progress bars on stdout included."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir", "nncf")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
