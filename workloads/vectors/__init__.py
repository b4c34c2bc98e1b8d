"""Vector collections: what runs in the engine's pod, and the gateway before it."""
