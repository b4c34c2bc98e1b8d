"""`python3 -m tools.images [--ingress] [FOLDER]`: build the images that are missing and print their references.

With a folder, each is written into it as an OCI archive that containerd (`ctr images import`, `k3s ctr images import`),
podman and kind read.
"""

import argparse
import sys
from pathlib import Path

from tools import screen
from tools.images.build import archive, images
from tools.obtain import ToolError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tools.images", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="where archives are to be written")
    parser.add_argument("--ingress", action="store_true", help="that of an ingress too")
    asked = parser.parse_args()
    folder = asked.folder
    progress = screen.Percent("images").show
    try:
        built = images(progress, asked.ingress)
    except ToolError as error:
        print(error, file=sys.stderr)
        return 1
    for name, image in built.items():
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / f"{name}.tar").open("wb") as file:
                archive(image, file, (), progress)
        screen.line("")
        print(image.reference, *([folder / f"{name}.tar"] if folder else []))
    return 0


if __name__ == "__main__":
    sys.exit(main())
