"""The errors of LinkNER, one small tree.

LinknerError
├── InputError             what a caller gave cannot be used; the same input will fail again
│   └── FileFormatError    the same, at a line of a file
├── ConfigurationError     a setting, option or environment variable is missing or wrong
├── CheckpointError        a model checkpoint cannot be read or does not fit
└── ServiceError           a service answered with an error or not at all
    ├── UnavailableError        try again later (`retry_after_s` where the service said when)
    │   ├── BudgetSpentError    the money for it is spent until then
    │   ├── NotReachedError     no connection came to be, so that it knows nothing of the request
    │   └── StoppedError        this process ends, and broke the request off
    ├── RejectedError           the same request will be refused again
    └── CrashedError            the service failed at this request, which may be why

Every message says what is wrong, what was expected, what came, and what to do.
"""

from __future__ import annotations


class LinknerError(Exception):
    """Base of all errors that LinkNER raises on purpose.

    `problem` is one sentence without a full stop; `expected`, `got` and `hint` complete it.
    """

    def __init__(self, problem: str, *, expected: str = "", got: str = "", hint: str = "") -> None:
        self.problem, self.expected, self.got, self.hint = problem, expected, got, hint
        parts = [problem]
        if expected:
            parts.append(f"expected {expected}")
        if got:
            parts.append(f"got {got}")
        if hint:
            parts.append(hint)
        super().__init__("; ".join(parts))


class InputError(LinknerError):
    """What a caller gave cannot be used."""


class FileFormatError(InputError):
    """A file cannot be read; `path` and `line` (from 1) say where."""

    def __init__(
        self, problem: str, *, path: str, line: int, expected: str = "", got: str = "", hint: str = ""
    ) -> None:
        self.path, self.line = path, line
        super().__init__(f"{path}:{line}: {problem}", expected=expected, got=got, hint=hint)


class ConfigurationError(LinknerError):
    """A setting is missing or wrong."""


class CheckpointError(LinknerError):
    """A checkpoint cannot be read or does not fit what it is used for."""


class ServiceError(LinknerError):
    """A service that this process depends on failed."""


class UnavailableError(ServiceError):
    """The service cannot answer now; the same request may succeed later."""

    def __init__(self, problem: str, *, retry_after_s: float | None = None, **details: str) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(problem, **details)


class BudgetSpentError(UnavailableError):
    """The money for the service is spent; `retry_after_s` until there is some again."""


class NotReachedError(UnavailableError):
    """No connection came to be: the service knows nothing of the request."""


class StoppedError(UnavailableError):
    """This process was told to stop, and broke the request off: nothing is known of the service."""


class RejectedError(ServiceError):
    """The service refused the request, and would refuse it again."""


class CrashedError(ServiceError):
    """The service failed while it worked on the request: the request may be the cause, or the service."""
