// The page of race.js: controls, four panels, one line of numbers. `render` is a move.
"use strict";
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"], DASHES = ["", "9 3", "2 3", "9 3 2 3"];
const OTHERS = 30; // seeds whose ends are shown beside the chosen one's
const LARGEST = 100, SMALLEST = 0.05, POINTS = 24; // of the law's x
const plain = (x) => x === 0 || (Math.abs(x) >= 1e-3 && Math.abs(x) < 1e4);
const short = (x) => (plain(x) ? String(+x.toPrecision(3)) : x.toExponential(1).replace("+", ""));
const same = (x) => x, power = (x) => 10 ** x, whole = (x) => Math.round(10 ** x);
const sum = (values) => values.reduce((a, b) => a + b, 0);
const CONTROLS = [ // name, label, lowest, highest, step, at first, and what the slider's number stands for
  ["paths", "Pathways", 1, 4, 1, 2, same],
  ...[1, 2, 3, 4].map((a) => ["depth" + a, "Depth of " + a, 1, 12, 1, 4, same]),
  ["S", "Singular value S", -1.5, 1.5, 0.05, 0, power],
  ["sigma", "Scale σ (√N × std)", -1, 0.2, 0.01, -0.55, power],
  ["width", "Width N", 1.5, 9, 0.05, 2.3, whole],
  ["seed", "Seed", 0, 99, 1, 0, same],
];
const inputs = {};

function build() {
  const given = new URLSearchParams(location.hash.slice(1));
  const keep = () => history.replaceState(null, "", "#" + new URLSearchParams(
    Object.entries(inputs).map(([name, input]) => [name, input.value])));
  for (const [name, label, min, max, step, first] of CONTROLS) {
    const row = document.createElement("label");
    row.innerHTML = `${label} <output></output><input type="range" min="${min}" max="${max}" step="${step}">`;
    inputs[name] = row.lastElementChild;
    inputs[name].value = given.get(name) ?? first;
    inputs[name].addEventListener("input", render);
    inputs[name].addEventListener("change", keep);
    document.getElementById("controls").append(row);
  }
}

// What the controls stand for, shown beside them.
function settings() {
  const values = {}, paths = +inputs.paths.value;
  for (const [name, , , , , , of] of CONTROLS) {
    values[name] = of(+inputs[name].value);
    inputs[name].previousElementSibling.value = short(values[name]);
    inputs[name].setAttribute("aria-valuetext", short(values[name]));
    inputs[name].disabled = name.startsWith("depth") && name.at(-1) > paths;
    inputs[name].parentElement.className = inputs[name].disabled ? "unused" : "";
  }
  return { ...values, depths: [1, 2, 3, 4].slice(0, paths).map((a) => values["depth" + a]) };
}

function render() {
  const { S, sigma, width, seed, depths } = settings(), M = depths.length, D = depths[0];
  const starts = (seed) => race.draw(depths, width, sigma, seed);
  const start = starts(seed), { t, K, end } = race.run(S, start);
  const others = Array.from({ length: OTHERS }, (_, k) => race.run(S, starts(100 + k), false).end);
  const totals = K.map(sum), shared = race.participation(end), spread = others.map(race.participation);
  const key = (name, style) => `<span><svg viewBox="0 0 34 10"><path d="M0 5H34" ${style}/></svg>${name}</span>`;
  document.getElementById("legend").innerHTML =
    depths.map((depth, a) => key(`pathway ${a + 1} (depth ${depth})`, pen(a))).join("") + key("sum", SUM);
  document.getElementById("summary").textContent =
    `Ends: ${end.map((x, a) => `K${a + 1} = ${short(x)}`).join(", ")}. Participation ${shared.toFixed(2)}, ` +
    `mean of ${OTHERS} other seeds ${(sum(spread) / OTHERS).toFixed(2)}. ` +
    `99.9 % of the mode is learned at ${short(t.at(-1))} τ.`;
  const rows = (name) => `[${start.map((one) => `[${+one[name].toPrecision(15)}]`).join(", ")}]`;
  document.getElementById("python").textContent = `rd.exact.converged([${+S.toPrecision(15)}], ` +
    `depths=(${depths},), q=${rows("q")}, p=${rows("p")}).strength`;

  const begins = totals.findIndex((x) => Math.abs(x - totals[0]) > 0.005 * Math.abs(S - totals[0]));
  const from = t[Math.max(begins - 1, 0)], shown = t.at(-1) - from, unit = 10 ** Math.floor(Math.log10(shown));
  const zero = shown < from ? +(Math.floor(from / unit) * unit).toPrecision(12) : 0; // a plateau is left out
  const label = zero ? `flow time − ${zero} (τ)` : "flow time (τ)";
  const time = { label, range: [zero && from - zero, t.at(-1) - zero] }, at = t.map((x) => x - zero);
  const range = [Math.min(0, ...totals, ...K.flat()), 1.05 * Math.max(S, ...totals, ...K.flat())];
  const column = (places, a) => places.map((place) => place[a]);
  panel("race", time, { label: "strength K", range }, ({ line }) => line(time.range, [S, S], GREY) +
    line(at, totals, SUM) + depths.map((_, a) => line(at, column(K, a), pen(a))).join(""));
  const sharing = { label: "participation", range: [0.95, Math.max(M, 2) + 0.05] };
  panel("participation", time, sharing, ({ line }) =>
    line(time.range, [M, M], GREY) + line(at, K.map(race.participation), CHOSEN));
  const alone = M > 1 ? "" : "takes two pathways or more";
  const first = { label: "strength K of pathway 1", range }, second = { label: "of pathway 2", range };
  panel("phase", first, second, ({ line, dots }) => line(range, range.map((x) => S - x), GREY) +
    dots(column(others, 0), column(others, 1), OTHER) + line(column(K, 0), column(K, 1), CHOSEN) +
    dots([end[0]], [end[1]], END), alone);
  const alike = M > 1 && D > 2 && depths.every((depth) => depth === D);
  const unlike = alike ? "" : "takes two pathways or more of one depth ≥ 3";
  const x = alike ? race.variable(D, width, sigma, S) : NaN, inside = Math.min(Math.max(x, SMALLEST), LARGEST);
  const law = { label: "x = √(ND) (q0 / S^(1/D))^(D−2)", range: [SMALLEST, LARGEST], log: true };
  if (alike) law.label += `, here ${short(x)}`;
  panel("law", law, sharing, ({ line, dots }) => line(...curve(D, M), CHOSEN) +
    dots(spread.map(() => inside), spread, OTHER) + dots([inside], [shared], END), unlike);
}

const pen = (a) => `fill="none" stroke="${COLOURS[a]}" stroke-width="2.5" stroke-dasharray="${DASHES[a]}"`;
const GREY = 'fill="none" stroke="#999" stroke-dasharray="4 3"', SUM = 'fill="none" stroke="#222" stroke-width="1.2"';
const CHOSEN = 'fill="none" stroke="#222" stroke-width="2.2"';
const OTHER = 'r="3.2" fill="#888" fill-opacity="0.45"', END = 'r="5" fill="#222" stroke="#fff"';

const curves = {};
function curve(D, M) {
  const xs = Array.from({ length: POINTS + 1 }, (_, k) => SMALLEST * (LARGEST / SMALLEST) ** (k / POINTS));
  return curves[[D, M]] ??= [xs, xs.map((x) => race.expected(x, D, M))];
}

// A panel of 400 x 270: axes { label, range, log }, what `draw` makes of them, or a note why there is none.
function panel(id, x, y, draw, note = "") {
  const [left, right, top, bottom] = [52, 386, 8, 226], middle = (left + right) / 2, svg = document.getElementById(id);
  const scale = ({ range, log }, from, to) => {
    const of = log ? Math.log : same, [low, high] = range.map(of);
    return (v) => (from + (to - from) * (of(v) - low) / (high - low)).toFixed(1);
  };
  const X = scale(x, left, right), Y = scale(y, bottom, top);
  const line = (xs, ys, style) => `<path d="M${xs.map((v, i) => X(v) + " " + Y(ys[i])).join("L")}" ${style}/>`;
  const dots = (xs, ys, style) => xs.map((v, i) => `<circle cx="${X(v)}" cy="${Y(ys[i])}" ${style}/>`).join("");
  const text = (words, x, y, anchor = "middle", turn = 0) =>
    `<text transform="translate(${x} ${y}) rotate(${turn})" text-anchor="${anchor}">${words}</text>`;
  svg.setAttribute("viewBox", "0 0 400 270");
  svg.innerHTML = `<clipPath id="in-${id}"><path d="M${left} ${top}H${right}V${bottom}H${left}Z"/></clipPath>` +
    `<g clip-path="url(#in-${id})">${note ? "" : draw({ line, dots })}</g>` +
    `<path d="M${left} ${top}V${bottom}H${right}${ticks(x).map((v) => `M${X(v)} ${bottom}v5`).join("")}` +
    `${ticks(y).map((v) => `M${left} ${Y(v)}h-5`).join("")}" fill="none" stroke="#222"/>` +
    ticks(x).map((v) => text(short(v), X(v), bottom + 19)).join("") +
    ticks(y).map((v) => text(short(v), left - 8, +Y(v) + 4, "end")).join("") +
    text(x.label, middle, 264) + text(y.label, 13, (top + bottom) / 2, "middle", -90) + text(note, middle, 110);
}

function ticks({ range: [low, high], log }) {
  if (log) return [0.1, 1, 10, 100].filter((v) => v >= low && v <= high);
  const rough = (high - low) / 5, unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((k) => k * unit >= rough) * unit;
  return Array.from({ length: 12 }, (_, k) => (Math.ceil(low / step) + k) * step).filter((v) => v <= high);
}

build();
render();
