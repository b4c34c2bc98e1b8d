"""What a user's program does; run in the environment of each version of huggingface_hub. Prints JSON.

python client.py URL CALL
"""

import json
import sys

from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

CALLS = {
    "text": lambda client: client.feature_extraction("hello").tolist(),
    "texts": lambda client: client.feature_extraction(["hello", "how are you"]).tolist(),
    "options": lambda client: client.feature_extraction("hello " * 300, normalize=True, truncate=True).tolist(),
    "similarity": lambda client: client.sentence_similarity("a cat", other_sentences=["a kitten", "the stock market"]),
    "too long": lambda client: client.feature_extraction("hello " * 300, truncate=False),
    "large": lambda client: client.feature_extraction("hello " * 1_000_000),
}


def main() -> None:
    url, call, *token = sys.argv[1:]
    client = InferenceClient(url, token=token[0] if token else None, timeout=30)
    try:
        print(json.dumps({"answer": CALLS[call](client)}))
    except HfHubHTTPError as error:
        print(json.dumps({"status": error.response.status_code, "message": str(error)}))


main()
