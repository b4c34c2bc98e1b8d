"""Why an ingestion gives up.

IngestError          the message says place, expectation, finding, and what to do
├── SettingsError    the settings or the source are wrong: another try can't help
├── Refused          a gateway takes this request as little again: something in it is wrong
└── Unavailable      a server was away for longer than anybody waits, or became another: a later run may fare better
    └── Changed      an object is another one by now than the one that was listed: a later run lists anew
"""


class IngestError(Exception):
    """The message says place, expectation, finding, and what to do."""


class SettingsError(IngestError):
    """The settings or the source are wrong: another try can't help."""


class Refused(IngestError):
    """A gateway takes this request as little again: something in it is wrong."""


class Unavailable(IngestError):
    """A server was away for longer than anybody waits, or became another: a later run may fare better."""


class Changed(Unavailable):
    """An object is another one by now than the one that was listed: a later run lists anew."""
