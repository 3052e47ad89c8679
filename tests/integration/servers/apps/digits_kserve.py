"""The example's classifier of digits as a model of KServe.

Run as `python digits_kserve.py MODEL.onnx --http_port=… --grpc_port=…`.
"""

from __future__ import annotations

import sys

import onnxruntime
from kserve import InferOutput, InferResponse, Model, ModelServer
from kserve.errors import InvalidInput
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument


class Digits(Model):
    def __init__(self, name: str, path: str) -> None:
        super().__init__(name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path, options)
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        image = payload.inputs[0].as_numpy()
        try:
            (logits,) = self._session.run(["logits"], {"image": image})
        except InvalidArgument as error:
            raise InvalidInput(str(error)) from error
        binary = payload.use_binary_outputs
        output = InferOutput(name="logits", shape=list(logits.shape), datatype="FP32")
        output.set_data_from_numpy(logits, binary_data=binary)
        return InferResponse(
            payload.id or "", self.name, infer_outputs=[output], use_binary_outputs=binary
        )


if __name__ == "__main__":
    ModelServer().start([Digits("digits", sys.argv[1])])
