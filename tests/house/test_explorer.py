"""The explorer, a page of its own: its mathematics in node against the package's, and the page in a
browser, every control moved.
"""

import json
import shutil
import subprocess
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from racedyn import Status
from racedyn.exact import (
    concentration_variable,
    converged,
    expected_participation,
    trajectory,
)
from racedyn.reduction import match

EXPLORER = Path(__file__).parents[2] / "docs" / "explorer"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
PATHS = 4
WITHIN = 1e-6  # of the larger of S and the start

node = pytest.mark.skipif(not shutil.which("node"), reason="node is not there")


def by_node(body, given):
    """What `body` returns, JavaScript of `given` and `race`."""
    script = f"""const race = require({json.dumps(str(EXPLORER / "race.js"))});
    const given = JSON.parse(require("fs").readFileSync(0));
    console.log(JSON.stringify((() => {{ {body} }})()));"""
    run = subprocess.run(
        ["node", "-e", script], input=json.dumps(given), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def settings(rng, sets, modes):
    """Of 1 to 4 pathways, each of depth 1 to 12: every other set has starts that the explorer
    draws, the rest any with |p| below q; S over three decades, scales over more than one."""
    drawn = "return given.map(([depths, ...of]) => race.draw(depths, ...of));"
    for i in range(sets):
        depths = rng.integers(1, 13, rng.integers(1, PATHS + 1)).tolist()
        S = 10 ** rng.uniform(-1.5, 1.5, modes)
        if i % 2:
            of = [
                [depths, 10 ** rng.uniform(1.5, 9), 10 ** rng.uniform(-1, 0.2), k]
                for k in range(modes)
            ]
            starts = by_node(drawn, of)
        else:
            size = 10 ** rng.uniform(-1.5, 0.3, modes)
            starts = [
                [
                    {"depth": D, "q": q, "p": q * rng.uniform(-1, 1) * 10 ** rng.uniform(-3, 0)}
                    for D, q in zip(
                        depths, size[k] * 10 ** rng.uniform(-0.1, 0.1, len(depths)), strict=True
                    )
                ]
                for k in range(modes)
            ]
        yield depths, S, starts


def arrays(starts):
    """q and p (path, mode)."""
    return (np.array([[path[name] for path in mode] for mode in starts]).T for name in "qp")


@node
@pytest.mark.parametrize("sets", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_ends_are_those_of_converged(sets):
    """Sixteen settings, or two hundred."""
    modes, worst = 4, 0.0
    for depths, S, starts in settings(np.random.default_rng(0), sets, modes):
        given = [{"S": S[k], "starts": starts[k]} for k in range(modes)]
        body = "return given.map(({ S, starts }) => race.run(S, starts, false).end);"
        found = np.array(by_node(body, given), float).T
        q, p = arrays(starts)
        size = np.maximum(S, np.abs(p * q ** (np.array(depths)[:, None] - 1.0)).max(axis=0))
        # Pathways that never move, q = 0, fill up to four: few programs serve all depths.
        still = PATHS - len(depths)
        end = converged(
            S, [*depths, *[4] * still], *(np.pad(x, [(0, still), (0, 0)]) for x in (q, p))
        )
        assert (end.status == Status.DONE).all()
        worst = max(worst, np.max(np.abs(found - end.strength[: len(depths)]) / size))
    print(f"\n{sets * modes} settings: ends <= {worst:.1e} of the larger of S and the start away")
    assert worst <= WITHIN


@node
@pytest.mark.parametrize(
    "depths",
    [
        (2, 1, 5),
        *(pytest.param(depths, marks=pytest.mark.slow) for depths in [(4, 4), (3, 12), (1,)]),
    ],
)
def test_courses_are_those_of_trajectory(depths):
    of = [S, starts] = 0.8, by_node("return race.draw(...given);", [list(depths), 300, 0.6, 1])
    run = by_node("return race.run(...given);", of)
    assert len(run["t"]) == len(run["K"]) and run["t"] == sorted(run["t"])
    q, p = arrays([starts])
    found = trajectory(S, depths, q, p, run["t"])
    error = np.abs(np.asarray(found["strength"])[:, :, 0] - run["K"]).max() / S
    print(f"\n{depths}: {error:.1e} of S")
    assert error <= WITHIN


@node
def test_a_mode_that_starts_above_its_end_unlearns():
    starts = [{"depth": 3, "q": 1.0, "p": 0.9}, {"depth": 2, "q": 0.5, "p": 0.4}]
    run = by_node("return race.run(0.2, given);", starts)
    end = converged(0.2, (3, 2), *arrays([starts]))
    np.testing.assert_allclose(run["end"], end.strength[:, 0], atol=1e-12)
    np.testing.assert_allclose(run["K"][0], [0.9, 0.2], atol=1e-12)


@node
def test_starts_are_those_of_matching():
    K = np.array([0.0, 1e-3, -0.02, 0.1])
    growth = np.array([0.5, 0.01, 2.0, 1.0])
    for depth in (1, 2, 5, 12):
        body = "return given[0].map((K, i) => race.match(K, given[1][i], given[2]));"
        found = by_node(body, [K.tolist(), growth.tolist(), depth])
        q, p = match(K, growth, depth)
        np.testing.assert_allclose([x["q"] for x in found], q, rtol=1e-12)
        np.testing.assert_allclose([x["p"] for x in found], p, rtol=1e-12)


@node
@pytest.mark.parametrize("depth", [2, 4, 9])
def test_starts_vary_as_wide_networks_do(depth):
    """Variances of ln q0 and p0 (docs/concentration.md); of 4000 draws they are known to 2 %."""
    width, sigma, draws = 1e4, 0.5, 4000
    body = "return Array.from({ length: given[0] }, (_, k) => race.draw(...given[1], k)[0]);"
    found = by_node(body, [draws, [[depth], width, sigma]])
    q, p = (np.array([x[name] for x in found]) for name in "qp")
    of_q = (2 * depth - 1) / (6 * depth * (depth - 1) * width)
    np.testing.assert_allclose(np.var(np.log(q)), of_q, rtol=0.1)
    np.testing.assert_allclose(np.var(p), sigma**2 / (depth * width), rtol=0.1)


@node
@pytest.mark.parametrize("pathways", [2, 3, 4])
def test_the_law_is_that_of_the_package(pathways):
    x = np.geomspace(0.05, 100, 17)
    for depth in (3, 4, 12):
        body = "return given[0].map((x) => race.expected(x, ...given[1]));"
        found = by_node(body, [x.tolist(), [depth, pathways]])
        error = np.abs(np.array(found) - expected_participation(x, depth, pathways)).max()
        print(f"\nD = {depth}, M = {pathways}: {error:.3f}")
        assert error <= 0.05
    found = by_node("return race.variable(...given);", [4, 200, 0.3, 0.7])
    np.testing.assert_allclose(found, concentration_variable(4, 200, 0.3**2, 0.7), rtol=1e-12)


MOVES = """
const svgs = [...document.querySelectorAll("#panels svg")], moves = [];
const plots = () => svgs.map((svg) => svg.innerHTML).join();
const move = (name, value) => {
  const before = plots(), ms = [];
  for (let k = 0; k < 5; k++) {
    if (/paths|depth/.test(name)) for (const known in curves) delete curves[known];
    const start = performance.now();
    inputs[name].value = value;
    inputs[name].dispatchEvent(new Event("input"));
    document.body.getBoundingClientRect();
    ms.push(performance.now() - start);
  }
  const after = plots(), broken = /NaN|undefined|Infinity/.test(after);
  moves.push({ name, ms, moved: after !== before, broken });
};
for (const depth of [3, 12]) {
  for (const name in inputs) if (name.startsWith("depth")) move(name, depth);
  for (const paths of [1, 2, 3, 4]) move("paths", paths);
  for (const name in inputs) {
    const { min, max, value } = inputs[name];
    for (let k = 0; k <= 12; k++) move(name, +min + (max - min) * k / 12);
    move(name, value);
  }
}
inputs.paths.value = 3;
inputs.paths.dispatchEvent(new Event("change"));
const fits = document.documentElement.scrollWidth <= innerWidth;
const found = JSON.stringify({ moves, fits, kept: location.hash });
document.body.innerHTML = `<pre id="found">${found}</pre>`;
"""


def browse(tmp_path, url, *arguments, width=1080):
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},1300"]
    run = subprocess.run([*command, *arguments, url], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.slow
@pytest.mark.skipif(not BROWSER, reason="chromium is not there")
def test_every_control_moves_the_page(tmp_path):
    copied = shutil.copytree(EXPLORER, tmp_path / "explorer") / "index.html"
    last = '<script src="explorer.js"></script>'
    assert last in copied.read_text()
    copied.write_text(copied.read_text().replace(last, f"{last}<script>{MOVES}</script>"))
    dom = browse(tmp_path, copied.as_uri(), "--dump-dom")
    found = json.loads(dom.partition('<pre id="found">')[2].partition("</pre>")[0])
    assert found["fits"] and found["kept"].startswith("#paths=3&amp;")
    for name in dict.fromkeys(move["name"] for move in found["moves"]):
        mine = [move for move in found["moves"] if move["name"] == name]
        once, best = ([take(move["ms"]) for move in mine] for take in (max, min))
        print(
            f"\n{name}, {len(mine)} moves: median {np.median(best):.1f} ms, longest "
            f"{max(best):.1f}; with others at work {np.median(once):.1f} and {max(once):.1f}"
        )
        assert not any(move["broken"] for move in mine)
        assert sum(move["moved"] for move in mine) > 10


@pytest.mark.slow
@pytest.mark.skipif(not BROWSER, reason="chromium is not there")
@pytest.mark.parametrize("width", [1080, 390])
def test_the_picture_has_every_pathway(tmp_path, width):
    picture = tmp_path / "explorer.png"
    url = (EXPLORER / "index.html").as_uri() + "#paths=4"
    browse(tmp_path, url, f"--screenshot={picture}", width=width)
    pixels = matplotlib.image.imread(picture)[..., :3]
    assert pixels.shape[1] == width
    for colour in ([0x00, 0x72, 0xB2], [0xD5, 0x5E, 0x00], [0x00, 0x9E, 0x73], [0xCC, 0x79, 0xA7]):
        near = np.abs(pixels - np.array(colour) / 255).max(axis=-1) < 0.02
        rows = np.flatnonzero(near.any(axis=1))
        assert near.sum() > 50 and np.ptp(rows) > 100, colour  # in the legend, and far below
