"""Why a program of this room gives up.

TrainingError    the message says place, expectation, finding, and what to do
└── InvalidJob   the job, its data or its weights can't be trained as they are: no retry can help
"""


class TrainingError(Exception):
    """The message says place, expectation, finding, and what to do."""


class InvalidJob(TrainingError):
    """The job, its data or its weights can't be trained as they are: no retry can help."""
