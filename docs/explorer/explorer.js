// The page of race.js: controls, four panels, one line of numbers. `render` is a move.
"use strict";
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"], DASHES = ["", "9 3", "2 3", "9 3 2 3"];
const OTHERS = 30; // seeds whose ends are shown beside the chosen one's
const LARGEST = 100, SMALLEST = 0.05, POINTS = 24; // of the law's x
const short = (x) => (x === 0 || (Math.abs(x) >= 1e-3 && Math.abs(x) < 1e4) ? +x.toPrecision(3) + "" : x.toExponential(1).replace("+", ""));
const power = (x) => 10 ** x;
const CONTROLS = [ // name, label, lowest, highest, step, at first, its value
  ["paths", "Pathways", 1, 4, 1, 2], ...[1, 2, 3, 4].map((a) => ["depth" + a, "Depth of " + a, 1, 12, 1, 4]),
  ["S", "Singular value S", -1.5, 1.5, 0.05, 0, power],
  ["sigma", "Scale σ (√N × std)", -1, 0.2, 0.01, -0.55, power],
  ["width", "Width N", 1.5, 9, 0.05, 2.3, power], ["seed", "Seed", 0, 99, 1, 0],
];
const inputs = {};

function build() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const [name, label, min, max, step, first] of CONTROLS) {
    const row = document.createElement("label");
    row.innerHTML = `${label} <output></output><input type="range" name="${name}" min="${min}" max="${max}" step="${step}">`;
    inputs[name] = row.lastElementChild;
    inputs[name].value = given.get(name) ?? first;
    inputs[name].addEventListener("input", render);
    inputs[name].addEventListener("change", () => history.replaceState(null, "", "#" + new URLSearchParams(
      Object.entries(inputs).map(([name, input]) => [name, input.value]))));
    document.getElementById("controls").append(row);
  }
}

function settings() {
  const values = CONTROLS.map(([name, , , , , , of = (x) => x]) => [name, of(+inputs[name].value)]);
  const { paths, S, sigma, width, seed, ...depths } = Object.fromEntries(values);
  return { S, sigma, width: Math.round(width), seed, depths: Object.values(depths).slice(0, paths) };
}

function render() {
  const { S, sigma, width, seed, depths } = settings(), M = depths.length, D = depths[0];
  const ends = (seed) => race.run(S, race.draw(depths, width, sigma, seed), false).end;
  const { t, K, end } = race.run(S, race.draw(depths, width, sigma, seed));
  const others = Array.from({ length: OTHERS }, (_, k) => ends(100 + k));
  for (const [name, , , , , , of = (x) => x] of CONTROLS) {
    const value = of(+inputs[name].value), text = name === "width" ? Math.round(value) : value;
    inputs[name].previousElementSibling.value = short(text);
    inputs[name].setAttribute("aria-valuetext", short(text));
    inputs[name].disabled = name.startsWith("depth") && name[5] > M;
    inputs[name].parentElement.className = inputs[name].disabled ? "unused" : "";
  }
  document.getElementById("legend").innerHTML = depths.map((depth, a) =>
    `<span><svg viewBox="0 0 34 10"><path d="M0 5H34" ${pen(a)}/></svg>pathway ${a + 1} (depth ${depth})</span>`).join("") +
    `<span><svg viewBox="0 0 34 10"><path d="M0 5H34" ${SUM}/></svg>sum</span>`;
  const final = race.participation(end), spread = others.map(race.participation);
  document.getElementById("summary").textContent = `Ends: ${end.map((x, a) => `K${a + 1} = ${short(x)}`).join(", ")}. ` +
    `Participation ${final.toFixed(2)}, mean of ${OTHERS} other seeds ${(spread.reduce((a, b) => a + b) / OTHERS).toFixed(2)}. ` +
    `99.9 % of the mode is learned at ${short(t.at(-1))} τ.`;

  const totals = K.map((each) => each.reduce((a, b) => a + b, 0)), way = Math.abs(S - totals[0]);
  const from = t[Math.max(totals.findIndex((x) => Math.abs(x - totals[0]) > 0.005 * way) - 1, 0)];
  const shown = t.at(-1) - from, unit = 10 ** Math.floor(Math.log10(shown));
  const zero = shown < t.at(-1) / 2 ? +(Math.floor(from / unit) * unit).toPrecision(12) : 0; // a plateau is left out
  const time = { label: zero ? `flow time − ${zero} (τ)` : "flow time (τ)", range: [zero && from - zero, t.at(-1) - zero] };
  const at = t.map((x) => x - zero), column = (a) => K.map((each) => each[a]);
  const low = Math.min(0, ...totals, ...K.flat()), top = 1.05 * Math.max(S, ...totals, ...K.flat());
  const strengths = { label: "strength K", range: [low, top] };
  panel("race", time, strengths, ({ line }) => line([time.range[0], time.range[1]], [S, S], GREY) + line(at, totals, SUM) +
    depths.map((_, a) => line(at, column(a), pen(a))).join(""));
  panel("participation", time, { label: "participation", range: [0.95, Math.max(M, 2) + 0.05] }, ({ line }) =>
    line(time.range, [M, M], GREY) + line(at, K.map(race.participation), CHOSEN));
  const two = M > 1 ? "" : "takes two pathways or more";
  panel("phase", { label: "strength K of pathway 1", range: [low, top] }, { label: "of pathway 2", range: [low, top] }, ({ line, dots }) =>
    two ? "" : line([low, top], [S - low, S - top], GREY) + dots(others.map((x) => x[0]), others.map((x) => x[1]), OTHER) +
      line(column(0), column(1), CHOSEN) + dots([end[0]], [end[1]], END), two);
  const none = M > 1 && D > 2 && depths.every((depth) => depth === D) ? "" : "takes two pathways or more of one depth ≥ 3";
  const x = none ? 1 : Math.min(Math.max(race.variable(D, width, sigma, S), SMALLEST), LARGEST);
  panel("law", { label: none ? "x" : `x = √(ND) (q0 / S^(1/D))^(D−2), here ${short(race.variable(D, width, sigma, S))}`, range: [SMALLEST, LARGEST], log: true },
    { label: "participation", range: [0.95, Math.max(M, 2) + 0.05] }, ({ line, dots }) => none ? "" : line(...curve(D, M), CURVE) +
      dots(spread.map(() => x), spread, OTHER) + dots([x], [final], END), none);
}

const pen = (a) => `fill="none" stroke="${COLOURS[a]}" stroke-width="2.5" stroke-dasharray="${DASHES[a]}"`;
const GREY = 'fill="none" stroke="#999" stroke-dasharray="4 3"', SUM = 'fill="none" stroke="#222" stroke-width="1.2"';
const CHOSEN = 'fill="none" stroke="#222" stroke-width="2.2"', CURVE = 'fill="none" stroke="#0072b2" stroke-width="2.2"';
const OTHER = 'r="3.2" fill="#888" fill-opacity="0.45"', END = 'r="5" fill="#d55e00" stroke="#fff"';

const curves = {};
function curve(D, M) {
  const xs = Array.from({ length: POINTS + 1 }, (_, k) => SMALLEST * (LARGEST / SMALLEST) ** (k / POINTS));
  return curves[[D, M]] ??= [xs, xs.map((x) => race.expected(x, D, M))];
}

// A panel of 400 x 270: axes { label, range, log }, and what `draw` makes with lines and dots in their units.
function panel(id, x, y, draw, note = "") {
  const [left, right, top, bottom] = [52, 386, 8, 226];
  const scale = ({ range: [low, high], log }, from, to) => {
    const of = log ? Math.log : (v) => v;
    return (v) => (from + (to - from) * (of(v) - of(low)) / (of(high) - of(low))).toFixed(1);
  };
  const X = scale(x, left, right), Y = scale(y, bottom, top);
  const line = (xs, ys, style) => `<path d="M${xs.map((v, i) => X(v) + " " + Y(ys[i])).join("L")}" ${style}/>`;
  const dots = (xs, ys, style) => xs.map((v, i) => `<circle cx="${X(v)}" cy="${Y(ys[i])}" ${style}/>`).join("");
  const marks = ticks(x).map((v) => `<path d="M${X(v)} ${bottom}v5" stroke="#222"/><text x="${X(v)}" y="${bottom + 19}" text-anchor="middle">${short(v)}</text>`).join("") +
    ticks(y).map((v) => `<path d="M${left} ${Y(v)}h-5" stroke="#222"/><text x="${left - 8}" y="${+Y(v) + 4}" text-anchor="end">${short(v)}</text>`).join("");
  const svg = document.getElementById(id);
  svg.setAttribute("viewBox", "0 0 400 270");
  svg.innerHTML = `<clipPath id="in-${id}"><rect x="${left}" y="${top}" width="${right - left}" height="${bottom - top}"/></clipPath>` +
    `<g clip-path="url(#in-${id})">${draw({ line, dots })}</g><path d="M${left} ${top}V${bottom}H${right}" fill="none" stroke="#222"/>${marks}` +
    `<text x="${(left + right) / 2}" y="264" text-anchor="middle">${x.label}</text><text transform="translate(13 ${(top + bottom) / 2}) rotate(-90)" text-anchor="middle">${y.label}</text>` +
    `<text x="${(left + right) / 2}" y="110" text-anchor="middle">${note}</text>`;
}

function ticks({ range: [low, high], log }) {
  if (log) return [0.1, 1, 10, 100].filter((v) => v >= low && v <= high);
  const rough = (high - low) / 5, unit = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].find((k) => k * unit >= rough) * unit;
  return Array.from({ length: 12 }, (_, k) => (Math.ceil(low / step) + k) * step).filter((v) => v <= high);
}

build();
render();
