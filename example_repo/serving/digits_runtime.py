"""The digit classifier as a runtime of MLServer: prepared images in, logits out.

`model-settings.json` beside it names this class: `mlserver start serving` serves it.
"""

from __future__ import annotations

from pathlib import Path

from digits_service.sessions import open_session
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri


class DigitRuntime(MLModel):
    """Runs the int8 model on one thread, one request or batch after another."""

    async def load(self) -> bool:
        """Open the model that `uri` names."""
        self._session = open_session(Path(await get_model_uri(self.settings)), threads=1)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the logits of the images of a request, or of a batch that MLServer has joined."""
        images = NumpyCodec.decode_input(payload.inputs[0])
        (logits,) = self._session.run(["logits"], {"image": images})
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output("logits", logits)]
        )
