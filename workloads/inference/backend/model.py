"""The entry of Triton's Python backend: TEXT in, EMBEDDING and TOKENS out.

Triton gathers requests into one `execute`; each has one or more texts (rows). They go through the model as one
batch and come apart again. `weights/` beside this file is the model's folder.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import triton_python_backend_utils as pb_utils

if TYPE_CHECKING:
    from workloads.inference.backend.embedding import Embedder, InvalidModel
else:  # beside this file in the version folder, which the backend puts on the path
    from embedding import Embedder, InvalidModel


class TritonPythonModel:
    """Called by the stub; the names are Triton's."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the weights; what goes wrong is the answer to the load request."""
        version = Path(args["model_repository"]) / args["model_version"]
        try:
            self._embedder = Embedder(version / "weights")
        except InvalidModel as error:
            raise pb_utils.TritonModelException(f"InvalidModel: {error}") from error

    def execute(self, requests: list[Any]) -> list[Any]:
        """One batch: several requests of several texts each."""
        texts = [_texts(request) for request in requests]
        embeddings, tokens = self._embedder.embed([text for rows in texts for text in rows])
        responses, start = [], 0
        for rows in texts:
            end = start + len(rows)
            outputs = [
                pb_utils.Tensor("EMBEDDING", np.ascontiguousarray(embeddings[start:end])),
                pb_utils.Tensor("TOKENS", np.ascontiguousarray(tokens[start:end])),
            ]
            responses.append(pb_utils.InferenceResponse(outputs))
            start = end
        return responses


def _texts(request: Any) -> list[str]:
    rows = pb_utils.get_input_tensor_by_name(request, "TEXT").as_numpy()  # (n, 1) of bytes
    return [row.decode(errors="replace") for row in rows.reshape(-1)]
