"""Keys of Secrets that objects refer to: which are not there, and what to do about it. Pure: no I/O."""

from collections.abc import Iterable, Mapping

from homespun.api.fields import SecretKey

Keys = Mapping[tuple[str, str], object]
"""By (Secret, key), of the Secrets that exist: something true, or something false for a key that its Secret lacks."""


def missing(refs: Iterable[SecretKey], there: Keys) -> list[SecretKey]:
    """Those that are not there, or hold nothing."""
    return [ref for ref in refs if not there.get((ref.name, ref.key))]


def not_found(lacking: Iterable[SecretKey], there: Keys) -> tuple[str, str]:
    """What a condition says of keys that do not exist: reason and message.

    The advice puts no secret on a command line, where a shell's history and other users would have it.
    """
    existing = {name for name, _ in there}
    wanted: dict[str, list[str]] = {}
    for ref in lacking:
        wanted.setdefault(ref.name, []).append(ref.key)
    names = ", ".join(f"key {key} of Secret {name}" for name, keys in wanted.items() for key in keys)
    advice = "; ".join(
        f"add the key {' and the key '.join(keys)} to Secret {name}"
        if name in existing
        else f"create it with `kubectl create secret generic {name} {' '.join(f'--from-file={k}=FILE' for k in keys)}`"
        for name, keys in wanted.items()
    )
    return "SecretNotFound", f"expected {names} in this namespace, found none; {advice}"
