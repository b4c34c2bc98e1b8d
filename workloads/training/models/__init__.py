"""The models, one readable file each. They know nothing of parallelism, files or training."""
