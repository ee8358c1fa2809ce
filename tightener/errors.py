"""The one error that people see: what happened, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

EXIT_DONE = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_NO_EVIDENCE = 3
EXIT_SUGGESTIONS = 10
EXIT_VERIFICATION = 11


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file: path, 1-based line and column (0 = the file as a whole)."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.path
        return f"{self.path}:{self.line}:{self.column}" if self.column else f"{self.path}:{self.line}"


class TightenerError(Exception):
    """An error that a user can act on.

    `slug` names its page in docs/errors.md, `hint` says what to do next, `exit_code` is what the process ends with.
    """

    def __init__(
        self,
        message: str,
        *,
        slug: str,
        hint: str = "",
        place: Place | None = None,
        exit_code: int = EXIT_ERROR,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.slug = slug
        self.hint = hint
        self.place = place
        self.exit_code = exit_code

    @property
    def outward(self) -> str:
        """The message for pages and pull requests, which others read: it quotes nothing from a log."""
        return self.message

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{where}{self.message} [{self.slug}]{hint}"


class PolicyError(TightenerError):
    """A policy file that cannot be read as a policy."""


class ConfigError(TightenerError):
    """A tightener.yaml that cannot be used."""


class LogError(TightenerError):
    """A log source that cannot be read at all (single bad lines go to `rejected` instead)."""


class NoEvidence(TightenerError):
    """No events, or coverage too thin to say anything: exit code 3."""

    def __init__(self, message: str, *, slug: str, hint: str = "") -> None:
        super().__init__(message, slug=slug, hint=hint, exit_code=EXIT_NO_EVIDENCE)


class VerificationFailed(TightenerError):
    """A proposal, or a pair of policies, that could not be proved: exit code 11, nothing is written."""

    def __init__(self, message: str, *, slug: str, hint: str = "") -> None:
        super().__init__(message, slug=slug, hint=hint, exit_code=EXIT_VERIFICATION)

    @property
    def outward(self) -> str:
        """Without the message, which quotes the request that the proof fails on."""
        return "its proposal does not hold; `tightener suggest` says why"
