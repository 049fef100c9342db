"""The failures a user can meet, one class each, with the exit code the command line ends with.

Every class has an ``exit_code`` of its own (a test proves it): scripts branch on it. 2 stays click's own
(wrong usage), 1 stays Python's (a bug in the planner), 130 is Ctrl-C. A message says what went wrong, the
value with its unit, where, and what to do about it. An infeasible candidate is not an error but a value
(`planner.planning`); only "none feasible" raises.
"""

from collections.abc import Sequence
from typing import ClassVar


class PlannerError(Exception):
    """A failure that the user can act on; never raised itself, always one of its kinds."""

    exit_code: ClassVar[int] = 10


# --- documents ---------------------------------------------------------------------------------------
class DocumentError(PlannerError):
    """A document that cannot be read as what it should be; names the path of the faulty value."""

    exit_code = 11


class OutputError(PlannerError):
    """A result could not be written; nothing half-written is left."""

    exit_code = 12


# --- input records -----------------------------------------------------------------------------------
class InputMissingError(PlannerError):
    """The input does not exist, or there is nothing in it to work on."""

    exit_code = 20


class RecordFormatError(PlannerError):
    """Records that are not what the content type or split type says; names object, record and offset."""

    exit_code = 21


class RecordTooLargeError(PlannerError):
    """A record larger than the payload limit: the service fails the object instead of splitting it."""

    exit_code = 22


# --- container ---------------------------------------------------------------------------------------
class ContainerStartError(PlannerError):
    """The container never answered ``/ping`` with 200, or ended before it did; carries its last log lines."""

    exit_code = 30


class ContainerDiedError(PlannerError):
    """The container ended while it was under load; carries its last log lines."""

    exit_code = 31


class InvocationError(PlannerError):
    """``/invocations`` answered 4xx or 5xx, timed out, or dropped the connection."""

    exit_code = 32


class ResponseMismatchError(PlannerError):
    """The response holds another number of records than the request did."""

    exit_code = 33


class ModelArchiveError(PlannerError):
    """A model directory or ``model.tar.gz`` that cannot be served, or that is not safe to extract."""

    exit_code = 34


class MissingDependencyError(PlannerError):
    """An optional package or program is needed for what was asked; says how to get it."""

    exit_code = 35


class ContainerLimitError(PlannerError):
    """A CPU or memory limit that this machine cannot impose; says why and what it could."""

    exit_code = 36


# --- profiling and model -----------------------------------------------------------------------------
class ProfileError(PlannerError):
    """A profile that cannot support what is asked of it (too few points, other payload, other host)."""

    exit_code = 40


class TooFewRequestsError(ProfileError):
    """A point at which too few requests completed in its time to say anything."""

    exit_code = 41


# --- catalogue ---------------------------------------------------------------------------------------
class CatalogueError(PlannerError):
    """An instance type or region that the catalogue does not know; names the nearest ones."""

    exit_code = 50


# --- planning ----------------------------------------------------------------------------------------
class InfeasibleError(PlannerError):
    """No configuration meets the constraints; says which limit, the best value reached, and what to relax."""

    exit_code = 60


# --- the job -----------------------------------------------------------------------------------------
class RequestRejectedError(PlannerError):
    """A CreateTransformJob request that the service would refuse; carries every finding, not the first."""

    exit_code = 70

    def __init__(self, message: str, findings: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.findings: tuple[str, ...] = tuple(findings)


class JobFailedError(PlannerError):
    """The job ran to its end and at least one object failed; the outputs of the others are kept."""

    exit_code = 80
