"""What runs inside Triton's Python backend: both files are copied into each version folder of a model."""
