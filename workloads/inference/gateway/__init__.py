"""The gateway of `InferenceModel`s: the Hugging Face Inference API in front of the Triton servers.

`tasks` reads bodies and forms answers, without I/O; `fleet` knows who holds what and asks them; `app` is the routes.
"""
