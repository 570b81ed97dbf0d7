"""Errors as HTTP answers: every one has the same JSON body, made here and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from linkner.errors import InputError, LinknerError, UnavailableError

RETRY_AFTER_S = 5
"""When to come again, where nothing better is known."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, what was expected, what came, and what to do; all but the first may be empty."""

    problem: str
    expected: str = ""
    got: str = ""
    hint: str = ""

    @classmethod
    def of(cls, error: LinknerError) -> Problem:
        return cls(error.problem, error.expected, error.got, error.hint)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The body of every answer that is an error."""

    error: Problem


class Refusal(HTTPException):
    """Ends a request with this status and problem; `retry_after_s` where it may be sent again later."""

    def __init__(
        self,
        status: int,
        problem: Problem,
        *,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        later = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        super().__init__(status_code=status, detail=problem.problem, headers={**later, **(headers or {})})
        self.problem = problem


def answer_errors(app: FastAPI) -> None:
    """Have every error of the app's endpoints answered with an ErrorBody."""

    @app.exception_handler(HTTPException)
    def on_http_error(_: Request, error: HTTPException) -> JSONResponse:
        problem = error.problem if isinstance(error, Refusal) else Problem(error.detail)
        return _answer(error.status_code, problem, dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    def on_bad_parameter(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return _answer(422, Problem(f"{first['loc'][-1]} cannot be used", expected=first["msg"]))

    @app.exception_handler(InputError)
    def on_bad_input(_: Request, error: InputError) -> JSONResponse:
        return _answer(400, Problem.of(error))

    @app.exception_handler(UnavailableError)
    def on_unavailable(_: Request, error: UnavailableError) -> JSONResponse:
        seconds = RETRY_AFTER_S if error.retry_after_s is None else math.ceil(error.retry_after_s)
        return _answer(503, Problem.of(error), {"Retry-After": str(seconds)})

    @app.exception_handler(Exception)
    def on_defect(_: Request, __: Exception) -> JSONResponse:
        return _answer(500, Problem("the gateway failed", hint="the gateway's log says why"))


def _answer(status: int, problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(asdict(ErrorBody(problem)), status_code=status, headers=headers)
