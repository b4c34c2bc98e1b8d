"""What a sequence of a batch is, and what is to be predicted in it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from workloads.training import order
from workloads.training.config import Family, Job
from workloads.training.errors import InvalidJob
from workloads.training.tokens import Tokens

Batch = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Inputs and targets, each (B, T)."""


class Objective(Protocol):
    """Makes batches of a corpus."""

    total: int
    """Sequences in the corpus."""

    def batch(self, places: Sequence[tuple[int, int]]) -> Batch:
        """The sequences at (epoch, sequence)."""


def objective(job: Job, tokens: Tokens) -> Objective:
    """The one of the job's family. Raises InvalidJob where the data are too short."""
    made: Objective = Causal(tokens, job) if job.model.family is Family.GPT2 else Masked(tokens, job)
    if made.total < 1:
        raise InvalidJob(
            f"data: expected more than data.sequence_length {job.data.sequence_length} tokens, found {tokens.tokens}; "
            "give more text, or a smaller sequence_length"
        )
    return made


class Causal:
    """GPT-2: predict each next token."""

    def __init__(self, tokens: Tokens, job: Job) -> None:
        self._tokens, self._length = tokens.open(), job.data.sequence_length
        self.total = (tokens.tokens - 1) // self._length

    def batch(self, places: Sequence[tuple[int, int]]) -> Batch:
        """The sequences, and the same one token later."""
        starts = [sequence * self._length for _, sequence in places]
        rows = np.stack([self._tokens[start : start + self._length + 1] for start in starts]).astype(np.int64)
        return rows[:, :-1], rows[:, 1:]


class Masked:
    """BERT: predict what was masked, in [CLS] … [SEP]. Each epoch masks anew."""

    def __init__(self, tokens: Tokens, job: Job) -> None:
        tokenizer = tokens.tokenizer()
        first, last, mask = (tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]", "[MASK]"))
        if first is None or last is None or mask is None:
            raise InvalidJob("data.tokenizer: expected one with [CLS], [SEP] and [MASK] for bert, found another")
        self._first, self._last, self._mask = first, last, mask
        self._tokens, self._text, self._seed = tokens.open(), job.data.sequence_length - 2, job.seed
        if self._text < 1:
            raise InvalidJob(f"data.sequence_length: expected at least 3 for bert, got {job.data.sequence_length}")
        self._vocabulary = tokens.vocabulary
        self.total = tokens.tokens // self._text

    def batch(self, places: Sequence[tuple[int, int]]) -> Batch:
        """The sequences with tokens masked, and what they were."""
        rows = [self._row(epoch, sequence) for epoch, sequence in places]
        return np.array([inputs for inputs, _ in rows]), np.array([targets for _, targets in rows])

    def _row(self, epoch: int, sequence: int) -> tuple[list[int], list[int]]:
        text = self._tokens[sequence * self._text : (sequence + 1) * self._text].tolist()
        row = [self._first, *text, self._last]
        return order.masked(row, f"{self._seed}/{epoch}/{sequence}/mask", self._mask, self._vocabulary)
