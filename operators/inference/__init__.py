"""Decides what each `InferenceModel` needs."""
