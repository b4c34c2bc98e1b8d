"""Runs one Pulumi program: what the language host starts, in the program's own environment.

Standard library and `pulumi` only. What to run comes as one JSON document on standard input (its `config` may hold
secrets, which belong neither on a command line nor into an environment). Exit code 32 says that the user has been
shown what went wrong, as the official runner's does.
"""

import asyncio
import json
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

SHOWN: Final = 32
MONITOR_GONE: Final = "resource monitor shut down"
"""What the engine answers to a program that goes on after a resource has failed."""


def main() -> int:
    run: dict[str, Any] = json.load(sys.stdin)
    program = Path(run["program"])
    try:
        import pulumi  # noqa: PLC0415 (without it there is something better to say than a traceback)
        from pulumi import runtime  # noqa: PLC0415
    except ImportError as error:
        print(f"{sys.executable}: expected the package pulumi, found none ({error})", file=sys.stderr)
        return 1
    if program.is_dir() and not (program / "__main__.py").exists():
        pulumi.log.error(f"{program}: expected a program, found no __main__.py")
        return SHOWN

    runtime.set_all_config(run["config"], run["secretKeys"])
    runtime.configure(runtime.Settings(**run["settings"]))
    sys.argv = [str(program), *run["arguments"]]
    sys.path.insert(0, str(program if program.is_dir() else program.parent))
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # a program that fails leaves futures that nobody awaits
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(4 * max(1, run["settings"]["parallel"] or 1)))
    asyncio.set_event_loop(loop)

    def execute() -> None:
        runpy.run_path(str(program), run_name="__main__")

    try:
        loop.run_until_complete(runtime.run_in_stack(execute))
    except KeyboardInterrupt:  # the engine gave up, and says why itself
        return SHOWN
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 1
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except Exception as error:
        if str(error) == MONITOR_GONE:  # as above
            return SHOWN
        pulumi.log.error(f"Program failed with an unhandled exception:\n{_of_the_program(error, program)}")
        return SHOWN
    return 0


def _of_the_program(error: Exception, program: Path) -> str:
    """The traceback from the program's first own frame on; all of it where none is the program's."""
    folder = str(program if program.is_dir() else program.parent)
    frames = traceback.extract_tb(error.__traceback__)
    first = next((number for number, frame in enumerate(frames) if frame.filename.startswith(folder + os.sep)), 0)
    return "".join(traceback.format_exception(error, limit=first - len(frames)))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # not sys.exit: threads may still wait for an engine that has gone
