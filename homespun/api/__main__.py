"""`python -m homespun.api`: write the CRDs anew from the types."""

from homespun.api.crd import FOLDER, KINDS, render

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for kind in KINDS:
        (FOLDER / f"{kind.plural}.yaml").write_text(render(kind))
