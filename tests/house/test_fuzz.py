"""Bad inputs over the public surface: each is refused in the package's own words, or it is no bad
input.
"""

import collections
import random
import re
import warnings

import pytest

from public_surface import doors

# "Argument `x` must ..., but ...": one argument, or those that have to meet.
OWN = re.compile(
    r"(Probe '[^']*': |Checkpoint at [^:]*: )?Argument `[^`]+` must .+, but .+", re.DOTALL
)
CASES = 600
SEED = 17
# Accepted in tests of their own, each of which compiles them once more.
COMPILE_LONG = ("exact.chain", "exact.contextual", "exact.routing", "exact.two_layer", "exact.xor")


@pytest.fixture(scope="module")
def surface(tmp_path_factory):
    return doors(tmp_path_factory.mktemp("surface"))


def outcome(door, argument, value):
    """ "refused", "accepted", or what another library said."""
    try:
        door.call(**{**door.well, argument: value})
    except Exception as error:
        return "refused" if OWN.match(str(error)) else f"{type(error).__name__}: {error}"
    return "accepted"


@pytest.mark.slow
def test_bad_inputs_are_refused_in_the_packages_own_words(surface, capsys):
    """600 of them, drawn with one seed; none is accepted, none ends in the words of another
    library.
    """
    every = [(door, argument, bad) for door in surface for argument, bad in door.bad() if bad.never]
    drawn = random.Random(SEED).sample(every, CASES)
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
        print(
            f"\n{CASES} of {len(every)} bad inputs, {len({door.name for door, _, _ in drawn})} "
            "callables"
        )
        for (kind, result), count in sorted(counts.items()):
            print(f"  {kind:<20} {result:<8} {count:4}")
    assert not wrong, f"{len(wrong)} of {CASES}:\n" + "\n".join(wrong)


@pytest.mark.long
def test_arguments_that_are_well_are_accepted(surface):
    """Else a refusal would say nothing."""
    for door in surface:
        if door.name not in COMPILE_LONG:
            door.call(**door.well)
