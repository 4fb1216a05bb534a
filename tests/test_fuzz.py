"""Bad inputs over the public surface: each is refused in the package's own words, or it is no bad input."""

import collections
import random
import re
import warnings

import pytest

from bad_inputs import doors

# "Argument `x` must ..., but ...": one argument, or those that have to meet.
OWN = re.compile(r"(Probe '[^']*': )?Argument `[^`]+` must .+, but .+", re.DOTALL)
CASES = 600
SEED = 17


def outcome(door, argument, value):
    """ "refused", "accepted", or what another library said."""
    try:
        door.call(**{**door.well, argument: value})
    except Exception as error:
        return "refused" if OWN.match(str(error)) else f"{type(error).__name__}: {error}"
    return "accepted"


@pytest.mark.slow
def test_bad_inputs_are_refused_in_the_packages_own_words(capsys):
    """600 of them, drawn with one seed; none is accepted, none ends in the words of another library."""
    every = [(door, argument, bad) for door in doors() for argument, bad in door.bad()]
    drawn = random.Random(SEED).sample([case for case in every if case[2].never], CASES)
    counts, wrong = collections.Counter(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for door, argument, bad in drawn:
            found = outcome(door, argument, bad.value)
            kind = door.name.partition(".")[0].partition("(")[0]
            counts[kind, "refused" if found == "refused" else "wrong"] += 1
            if found != "refused":
                wrong.append(f"{door.name}({argument}={bad.label}): {found[:200]}")
    with capsys.disabled():
        print(f"\n{CASES} of {len(every)} bad inputs, {len({door.name for door, _, _ in drawn})} callables")
        for (kind, result), count in sorted(counts.items()):
            print(f"  {kind:<20} {result:<8} {count:4}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_arguments_that_are_well_are_accepted():
    """Else a refusal would say nothing. Files that are not there, and what takes long to compile, are left out."""
    for door in doors():
        if door.name not in ("save", "save(path)", "load", "tasks.from_csv"):
            door.call(**door.well)
