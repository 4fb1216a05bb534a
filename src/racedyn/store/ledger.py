"""What is done of a job whose results are to lie at PATH: kept beside it, found again, or refused.

One policy for the main job, for studies and for ensembles. What an unfinished job of the same
settings left is gone on from; what one of other settings left is refused, each setting that differs
by its name; and only `overwrite` begins anew where something is there. Which settings count is the
job's to say: a run may have more steps than before, an ensemble asks for the same versions too."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from racedyn._text import printable
from racedyn.store.atomic import StoreError, partial_path
from racedyn.store.files import File, load_runs
from racedyn.store.write import plain

LONGEST = 60  # characters of a value that a refusal shows
OVERWRITE = "overwrite=True (--overwrite on the command line)"


class Difference(NamedTuple):
    """A setting that is not what it was; None where it is or was left out."""

    key: str
    now: Any
    was: Any

    def __str__(self) -> str:
        return f"`{self.key}` is {_said(self.now)} and was {_said(self.was)}"


def differences(now: Mapping[str, Any], was: Any) -> list[Difference]:
    """The settings in which `was`, those of a file, differs from `now`, by their dotted keys.

    A setting that is None is one that is left out, and NaN is NaN. Settings of anything but a
    mapping differ in all.

    >>> [str(found) for found in differences({"train": {"lr": 0.1}}, {"train": {"lr": 0.2}})]
    ['`train.lr` is 0.1 and was 0.2']
    """
    here = dict(flat(plain(now)))
    there = dict(flat(was)) if isinstance(was, Mapping) else {}
    return [
        Difference(key, here.get(key), there.get(key))
        for key in dict.fromkeys([*here, *there])
        if not _same(here.get(key), there.get(key))
    ]


def flat(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of settings in settings."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from ((f"{name}.{key}", inner) for key, inner in flat(value))
        else:
            yield name, value


def unfinished(path: Path, settings: Mapping[str, Any], *, overwrite: bool) -> File | None:
    """What an unfinished job of these `settings` left beside `path`; None where there is nothing,
    or by `overwrite` something else.

    `settings` is all of the `config` that the job keeps with `checkpoint`. Raises `StoreError`
    where they differ, and where what is there can't be read."""
    partial = partial_path(path)
    if not partial.exists():
        return None
    try:
        file = load_runs(partial, partial=True)
    except StoreError:
        if overwrite:
            return None
        raise
    return file if goes_on(partial, differences(settings, file.config), overwrite) else None


def goes_on(partial: Path, changed: Sequence[object], overwrite: bool) -> bool:
    """Whether a job goes on from `partial`: where nothing has `changed` (each item prints what).

    False where `overwrite` replaces it; otherwise `StoreError` says what has changed."""
    if changed and not overwrite:
        raise StoreError(
            f"{printable(str(partial))} is of a job of other settings: "
            f"{listed(changed)}. Restore them to go on from it, choose another name, or pass "
            f"{OVERWRITE} to begin anew."
        )
    return not changed


def listed(changed: Sequence[object]) -> str:
    """What has changed, in one line."""
    return "; ".join(map(str, changed))


def _same(now: Any, was: Any) -> bool:
    # As text NaN equals itself, and 1 differs from 1.0: so either will do.
    return now == was or json.dumps(now) == json.dumps(was)


def _said(value: Any) -> str:
    """A value of a file, which a stranger may have written, on one line."""
    if value is None:
        return "left out"
    text = printable(value if isinstance(value, str) else repr(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 12]} ... {text[-8:]}"
