"""Of all that `pulumi up` prints, what it complains of is shown."""

from cli.up import diagnostics

FAILED = """\
Updating (lab-base):

 +  pulumi-python:dynamic/homespun:Host m0 creating (0s) error: 10.41.0.10: Units run: it did not start
Diagnostics:
  pulumi-python:dynamic/homespun:Host (m0):
    error: 10.41.0.10: Units run: it did not start

Resources:
    + 2 created

Duration: 9s
"""


def test_the_diagnostics_are_the_message() -> None:
    assert diagnostics(FAILED) == (
        "pulumi-python:dynamic/homespun:Host (m0):\nerror: 10.41.0.10: Units run: it did not start"
    )


def test_a_log_without_diagnostics_is_shown_by_its_end() -> None:
    assert diagnostics("error: passphrase must be set\n") == "error: passphrase must be set"
