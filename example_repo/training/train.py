"""Trains the digit model, exports it to ONNX, quantises it to int8, and says how good it is.

    python -m training.train            # writes models/ and tests/data/held_out.npz, in seconds

Everything comes from one seed. Another processor or version of torch rounds differently, so the
weights differ in their last digits there; structure and accuracy stay.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from digits_service.preprocess import prepare
from digits_service.sessions import open_session
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from samples.scans import scans
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from training.network import DigitNetwork

ROOT = Path(__file__).parents[1]
SEED = 7
HELD_OUT_SEED = 1234
"""Of the scans that accuracy is measured on; the tests make the same ones."""
_OPSET = 17
_CALIBRATION_BATCH = 64


@dataclass(frozen=True, slots=True)
class Images:
    """Prepared inputs, `(n, 1, 16, 16)`, with their labels, `(n,)`."""

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]


def split() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Return digits to learn from, digits held out, and the labels of both: 80 to 20 %."""
    digits = load_digits()
    images = digits.images.astype(np.uint8)
    learn, held, learn_labels, held_labels = train_test_split(
        images, digits.target, test_size=0.2, random_state=SEED, stratify=digits.target
    )
    return learn, held, learn_labels, held_labels


def prepared(digits: NDArray[np.uint8], labels: NDArray[np.int64], *, seed: int) -> Images:
    """Scan the digits and prepare the scans with the service's own code, so that none differs."""
    return Images(np.stack([prepare(body) for body in scans(digits, seed=seed)]), labels)


def train(data: Images, *, epochs: int = 12, batch: int = 64) -> DigitNetwork:
    """Return a network trained from the seed."""
    torch.set_num_threads(1)  # so that every machine adds in the same order
    torch.manual_seed(SEED)
    network = DigitNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    steps = epochs * -(-len(data.labels) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=5e-3, total_steps=steps)
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=0.05)
    inputs, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.labels)
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels)).split(batch):
            optimiser.zero_grad()
            loss_of(network(inputs[chosen]), labels[chosen]).backward()
            optimiser.step()
            schedule.step()
    return network.eval()


def export(network: DigitNetwork, path: Path) -> None:
    """Write the network as ONNX; the first axis is free."""
    with warnings.catch_warnings():
        # The newer exporter needs onnxscript; this one says that it will go.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network,
            (torch.zeros(1, 1, 16, 16),),
            str(path),
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "n"}, "logits": {0: "n"}},
            opset_version=_OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(str(path))


class _Calibration(CalibrationDataReader):
    """Shows the quantiser what the inputs look like, some at a time."""

    def __init__(self, inputs: NDArray[np.float32]) -> None:
        self._batches: Iterator[NDArray[np.float32]] = iter(
            inputs[start : start + _CALIBRATION_BATCH]
            for start in range(0, len(inputs), _CALIBRATION_BATCH)
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"image": batch}


def quantise(source: Path, target: Path, *, inputs: NDArray[np.float32]) -> None:
    """Write the model with int8 weights and activations, by the ranges seen on `inputs`."""
    with TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        quantize_static(
            str(ready),
            str(target),
            _Calibration(inputs),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )


def accuracy(model: Path, data: Images) -> float:
    """Return the share of labels that an ONNX model gets right."""
    (logits,) = open_session(model).run(["logits"], {"image": data.inputs})
    return float((logits.argmax(axis=1) == data.labels).mean())


def build(models: Path, *, data: Path | None = None) -> dict[str, float]:
    """Train, export and quantise into the folder `models`; return each model's accuracy.

    Args:
        models: gets digits.pt, digits.fp32.onnx and digits.int8.onnx.
        data: gets held_out.npz, the digits that the tests measure accuracy on; None: not written.
    """
    learn, held, learn_labels, held_labels = split()
    # Three scans of each digit, no two alike.
    learning = prepared(np.tile(learn, (3, 1, 1)), np.tile(learn_labels, 3), seed=SEED)
    network = train(learning)
    models.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), models / "digits.pt")
    export(network, models / "digits.fp32.onnx")
    quantise(models / "digits.fp32.onnx", models / "digits.int8.onnx", inputs=learning.inputs[:512])
    if data is not None:
        np.savez_compressed(data / "held_out.npz", digits=held, labels=held_labels)
    holding = prepared(held, held_labels, seed=HELD_OUT_SEED)
    return {
        name: accuracy(models / name, holding) for name in ("digits.fp32.onnx", "digits.int8.onnx")
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "models", help="folder of the models")
    given = parser.parse_args()
    in_place = given.out == ROOT / "models"
    found = build(given.out, data=ROOT / "tests" / "data" if in_place else None)
    for name, share in found.items():
        size = (given.out / name).stat().st_size / 1000
        print(f"{name}: {share:.1%} of the held-out digits, {size:.0f} kB")


if __name__ == "__main__":
    main()
