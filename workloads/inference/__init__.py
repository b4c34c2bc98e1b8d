"""Serving `InferenceModel`s: the Triton backend, the agent beside each Triton, the gateway before them."""
