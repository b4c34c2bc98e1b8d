"""The trainer: models from scratch, data, parallelism, checkpoints. Nothing of Kubernetes is in here."""
