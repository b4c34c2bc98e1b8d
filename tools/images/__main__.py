"""`python3 -m tools.images`: build the images that are missing, and print their references and archives."""

import sys

from tools.images.build import images
from tools.obtain import ToolError


def main() -> int:
    try:
        for image in images(lambda what, percent: print(f"{what} {percent}%", file=sys.stderr)).values():
            print(image.reference, image.archive)
    except ToolError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
