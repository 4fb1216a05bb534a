"""Flow in time: systems integrated on the host (`simulate`), inside JAX (`solve`), many at once
(`ensemble`).

- `simulate`: one system on the host: refusals, the choice of a method, a second try, provenance.
- `solve`: the same inside JAX, pure and differentiable, without what needs the host.
- `ensemble`: many systems of one kind, in blocks, to memory or to a file.
- `checks`: what is refused before anything is compiled.
- `method`: whether a system's own exact solution is taken or a solver.
- `lane`: one integration; a lane is whatever steps on a clock of its own, such as one mode.
- `lanes`: many lanes: ranked, put into batches, solved, tried again and judged.
- `step_sizes`: how a solver's steps are chosen, by errors relative to each part of the state.
- `rounding`: errors that rounding makes, told from those that shorter steps would mend.
- `crossings`: the times at which a quantity changes its sign.
- `members`: the systems of an ensemble as one, with an axis of members in front of each array.
- `building`: how these are made by a function of the user's.
- `asked`: what an ensemble is asked for beside its members.
- `blocks`: how one block of systems is computed.
- `trainings`: how one block of trainings is computed.
- `member_rows`: what these have saved, and how each of them ended.
- `cores`: calls of compiled programs on all cores of a CPU.
- `stacks`: what JAX compiles for a block, spread over all devices.
- `apart`: a state split into single numbers, so that of many lanes a solver keeps flat arrays.
"""

from racedyn.simulation.ensemble import ensemble
from racedyn.simulation.simulate import SolveError, simulate
from racedyn.simulation.solve import solve

__all__ = ["SolveError", "ensemble", "simulate", "solve"]
