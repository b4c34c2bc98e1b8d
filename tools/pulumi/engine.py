"""How a plugin process begins and ends.

The engine starts a plugin with its own address as the last argument, and reads the plugin's port from the first line
of its output. It ends a plugin with SIGINT to its process group; a CLI that was killed sends nothing, so a plugin
looks whether its parent is still there.
"""

import os
import signal
import threading
import time
from typing import Final

INTERVAL: Final = 1.0
"""Seconds between two looks at the parent."""
MESSAGE_SIZE: Final = 400 << 20
"""The engine's own limit for one gRPC message, in bytes."""
GRPC_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MESSAGE_SIZE),
    ("grpc.max_send_message_length", MESSAGE_SIZE),
)


def announce(port: int) -> None:
    """Tell the engine where this plugin listens."""
    print(port, flush=True)


def wait_for_end() -> None:
    """Return once the engine asks for it (SIGINT, SIGTERM) or has gone. For the main thread."""
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    parent = os.getppid()
    while os.getppid() == parent and not asked.wait(INTERVAL):
        pass


def exit_with_engine() -> None:
    """End this process once the engine has gone. Returns at once; a thread looks."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(INTERVAL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
