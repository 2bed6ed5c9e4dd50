"""The two formats of an exported model: ONNX, and a program of torch.export."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zslpipe.extras import need
from zslpipe.serving.exporting.whole_model import INPUTS, OUTPUTS, WholeModel

FILES = {"onnx": "model.onnx", "program": "model.pt2"}
LARGEST = 1 << 30  # weights in one ONNX file, whose format ends at 2 GiB

Example = tuple[Tensor, Tensor, Tensor]
Runner = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def write_onnx(model: WholeModel, example: Example, folder: Path) -> Runner:
    """Write model.onnx for any number of images and classes, and open it again with onnxruntime.

    Raises:
        InputError: if a library is missing.
    """
    for module in ("onnx", "onnxscript", "onnxruntime"):
        need(module, "onnx", "the format onnx")
    import onnxruntime

    path = folder / FILES["onnx"]
    large = sum(p.numel() * p.element_size() for p in model.state_dict().values()) > LARGEST
    with _quiet():
        torch.onnx.export(
            _program(model, example),
            (),
            str(path),
            input_names=INPUTS,
            output_names=OUTPUTS,
            dynamo=True,
            external_data=large,
            verbose=False,
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(*values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores, chances = session.run(list(OUTPUTS), dict(zip(INPUTS, values)))
        return scores, chances

    return run


def write_program(model: WholeModel, example: Example, folder: Path) -> Runner:
    """Write model.pt2, which `torch.export.load` reads, and open it again."""
    path = folder / FILES["program"]
    with _quiet():
        torch.export.save(_program(model, example), path)
        module = torch.export.load(path).module()

    def run(*values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            scores, chances = module(*map(torch.from_numpy, values))
        return scores.numpy(), chances.numpy()

    return run


WRITERS = {"onnx": write_onnx, "program": write_program}


def _program(model: WholeModel, example: Example) -> torch.export.ExportedProgram:
    images, classes = torch.export.Dim("images"), torch.export.Dim("classes")
    shapes = ({0: images}, {0: classes}, {0: classes})
    with torch.no_grad():
        return torch.export.export(model.eval(), example, dynamic_shapes=shapes)


@contextmanager
def _quiet() -> Iterator[None]:
    """torch's exporters report every step."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
