"""vast.ai, where GPUs are rented by the second: what is offered, what is ours, and the API that both are asked of."""
