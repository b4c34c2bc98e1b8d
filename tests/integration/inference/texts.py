"""Sentences to embed, and questions with the sentence that answers them."""

from typing import Final

ANSWERED: Final = {
    "how do transformers weigh words": "An architecture of attention alone, which lets each word look at all others.",
    "why do deep networks train at all with a hundred layers": "Residual connections let gradients pass unchanged.",
    "teaching a machine to play board games": "Self-play and tree search reach the strength of masters in go.",
    "generate pictures from noise": "A diffusion process is learned in reverse, step by step, until an image appears.",
    "store vectors and find the nearest": "A navigable small world graph answers neighbour queries in few steps.",
    "agree on one value among failing computers": "Consensus is reached by a leader and a log that a majority holds.",
    "how bread rises": "Yeast eats sugar and gives off carbon dioxide, which the dough's gluten holds.",
    "when do swallows leave": "The birds gather on wires in September before they fly to Africa.",
}
SENTENCES: Final = [
    f"{subject} {verb} {place}"
    for subject in ("The old fisherman", "A small robot", "Her younger sister", "The night train", "Nobody")
    for verb in ("waits quietly", "sings a song", "counts the stars", "repairs a clock", "forgets the time")
    for place in ("by the river.", "in the library.", "under the bridge.", "on the roof.")
]
