"""`python -m workloads.training launch [OPTIONS OF TORCHRUN] --job job.json`: what a pod runs.

It is torchrun, with what we know of it set: workers that were killed start again at once (without the variable below,
five of eight restarts hung), and the exit code is that of the worker that failed first, which torchrun itself makes a 1
of: a job that no retry can help is told by it, and so is a worker that was killed, as a shell would (128 + signal).
"""

import os
import sys
from typing import Final

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

ENVIRONMENT: Final = {
    # The agent's store is not shared with its workers: one that was killed can leave it so that the next hangs.
    "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
    "OMP_NUM_THREADS": "1",  # torchrun's own default, but without its warning
}


def main(arguments: list[str]) -> int:
    """Run the workers of this machine to their end."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if "--job" not in arguments[:-1]:
        print(__doc__, file=sys.stderr)
        return 2
    at = arguments.index("--job")
    try:
        run.main([*arguments[:at], "-m", "workloads.training", "train", *arguments[at:]])
    except ChildFailedError as failed:
        _, first = failed.get_first_failure()
        print(failed, file=sys.stderr)
        code: int = first.exitcode
        return code if code > 0 else 128 - code
    return 0
