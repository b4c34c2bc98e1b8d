"""Stand-in for `pulumi-resource-pulumi-python`: runs the SDK's server of dynamic providers.

The official one is a shell script that does the same. Different here: the process ends when the engine is killed.
A provider's class is imported by name from the program's folder, which is where the engine starts this.
"""

import os
import runpy
import sys

from tools.pulumi.engine import exit_with_engine


def main() -> None:
    sys.path.insert(0, os.getcwd())
    exit_with_engine()
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
