"""What the command line says of an error. Imports nothing heavy."""

from racedyn._text import printable

OURS = "racedyn"


def told(error: BaseException) -> str:
    """One paragraph for a person: our own words as they are, others' with their type and where they
    come from.

    Notes of the error (`add_note`), as of what is kept of a run, follow.
    """
    text = str(error).strip()
    module = _raised_in(error)
    if isinstance(error, MemoryError):
        why = f" ({_first_line(text)})" if text else ""
        said = f"There is not enough memory for this{why}: make it smaller."
    elif isinstance(error, OSError) and error.strerror and error.filename is not None:
        said = f"{str(error.filename)!r}: {error.strerror.rstrip('.')}."
    elif module.partition(".")[0] == OURS and isinstance(
        error, ValueError | TypeError | OSError | RuntimeError
    ):
        said = text or type(error).__name__
    else:
        said = (
            f"{type(error).__name__}, which racedyn did not expect, in {module}: "
            f"{_first_line(text) or 'no message'}. "
            "--debug shows where it arose."
        )
    return printable(" ".join([said, *getattr(error, "__notes__", [])]), keep="\n")


def is_mistake(error: BaseException) -> bool:
    """Whether the error is about what the user gave, rather than about this program or machine."""
    return isinstance(error, ValueError | TypeError | OSError)


def _raised_in(error: BaseException) -> str:
    """The module of the line that raised it."""
    trace = error.__traceback__
    if trace is None:
        return OURS
    while trace.tb_next is not None:
        trace = trace.tb_next
    return str(trace.tb_frame.f_globals.get("__name__", "an unknown module"))


def _first_line(text: str) -> str:
    return text.splitlines()[0][:200].rstrip(".") if text else ""
