"""Of all that `pulumi up` prints, what it complains of is shown, and how many objects changed."""

from cli.deployment import changed, diagnostics

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


def test_what_a_provider_says_is_shown_without_the_outputs_that_follow() -> None:
    said = FAILED.replace("error: 10", "error: Exception calling application: 10")
    said = said.replace("\nResources:", '\nOutputs:\n  - address    : "10.41.0.10"\n\nResources:')
    assert diagnostics(said) == diagnostics(FAILED)


def test_a_log_without_diagnostics_is_shown_by_its_end() -> None:
    assert diagnostics("error: passphrase must be set\n") == "error: passphrase must be set"


OBJECTS = """\
 +  kubernetes:yaml/v2:ConfigGroup platform creating (0s)
 +  kubernetes:core/v1:Service platform:homespun-system/page creating (0s)
 +  kubernetes:core/v1:Service platform:homespun-system/page created (0.01s)
 ~  kubernetes:apps/v1:Deployment platform:homespun-system/page updating (0s) [diff: ~spec]; 0/1 available
 ~  kubernetes:apps/v1:Deployment platform:homespun-system/page updated (2s) [diff: ~spec]; 0/1 available
 +  kubernetes:yaml/v2:ConfigGroup platform created (2s)
"""


def test_each_object_that_changed_is_counted_and_no_group() -> None:
    assert changed(OBJECTS) == 2
