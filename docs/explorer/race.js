// A race of pathways for one mode, from draws to ends, without a page: node runs it as well.
// The equations are those of racedyn.systems.Pathways with S = K, d = 1. All pathways share one drive,
// ds/dt = S - sum K, and each is known as a function of it: dp/ds = q^(D-1), dq/ds = q^(D-2) p.
"use strict";
const race = (() => {
  const PANELS = 120, POINTS = 128, SOONEST = -6;
  const LEFT = 1e-3; // of what is to be learned: where a course is cut off
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const strength = ({ depth, q, p }) => (depth > 1 ? p * q ** (depth - 1) : p);

  // Drive from q = (1 + w) / 2E to the pole, w = c E^2 in [0, 1], c = q^2 - p^2, n = D - 2: a series
  // of positive terms, of (2E)^n int_0^1 x^(n-1) (1 + w x^2)^-n dx.
  function gap(n, c, E) {
    const w = c * E * E;
    let total = 0;
    for (let term = 1, k = 0; term > 1e-17 * total; k++) {
      total += term;
      term *= (w / (1 + w)) * (n + k) / (n / 2 + 1 + k);
    }
    return (2 * E / (1 + w)) ** n * total / n;
  }

  // E at the gap y: in log E log gap is concave, and nearly straight: steps of third order from below.
  function reach(n, c, y) {
    const most = 1 / Math.sqrt(c); // p = 0
    let E = Math.min((n * y) ** (1 / n) / 2, most);
    for (let step = 1, k = 0; Math.abs(step) > 1e-5 && k < 40; k++) {
      const w = c * E * E, g = gap(n, c, E), missing = Math.log(y / g);
      const flat = g * ((1 + w) / (2 * E)) ** n; // one over the slope
      step = missing * flat / Math.max(1 + missing * (n * flat * (1 - w) / (1 + w) - 1) / 2, 0.5);
      E = Math.min(E * Math.exp(step), most);
    }
    return E;
  }

  function pathway({ depth, q, p }) {
    if (depth > 1 && !(Math.abs(p) <= q)) throw RangeError(`|p| must be at most q, but p is ${p}, q ${q}`);
    const n = depth - 2, c = (q - p) * (q + p);
    if (n < 1) return { depth, q, p, gap: Infinity };
    const since = gap(n, c, 1 / (q + Math.abs(p))), half = gap(n, c, 1 / Math.sqrt(c));
    return { depth, n, c, half, gap: p < 0 ? 2 * half - since : since };
  }

  // K and dK/ds of a pathway at the drive s, a gap of `left` before its pole.
  function place({ depth, n, c, half, q, p }, s, left) {
    if (depth === 1) return [p + s, 1];
    if (depth === 2) {
      const rise = Math.exp(2 * Math.min(s, 300)), up = (q + p) ** 2 * rise, down = (q - p) ** 2 / rise;
      return [(up - down) / 4, (up + down) / 2];
    }
    const falls = left > half, E = reach(n, c, falls ? 2 * half - left : left), w = c * E * E;
    const at = { depth, q: (1 + w) / (2 * E), p: (falls ? -1 : 1) * (1 - w) / (2 * E) };
    return [strength(at), at.q ** (2 * n) * (at.q ** 2 + (depth - 1) * at.p ** 2)];
  }

  // The race of `starts` [{depth, q, p}] to sum K = S: K at its `end` and, with `course`, K at times t.
  function run(S, starts, course = true) {
    const begun = sum(starts.map(strength)), sense = begun > S ? -1 : 1; // what unlearns learns mirrored
    const paths = starts.map(({ depth, q, p }) => pathway({ depth, q, p: sense * p }));
    const first = Math.min(...paths.map((path) => path.gap)); // infinite where no pathway has a pole
    const at = (s, y) => paths.map((path) => place(path, s, path.gap === first ? y : path.gap - first + y));
    const total = (places, i) => sum(places.map((each) => each[i]));
    const strengths = (places) => places.map(([K]) => sense * K);
    // s grows from 0 to the first pole, if there is one, and y = first - s falls: neither is a difference.
    // What is gained is about a power of e^x, at first and at last: Newton's method for its logarithm.
    const r0 = Math.abs(S - begun);
    let s, y, last, rate;
    for (let x = 0, next = 1, low = -80, high = 120, k = 0; Math.abs(next - x) > 1e-14 && k < 200; k++) {
      if (k) x = next > low && next < high ? next : (low + high) / 2;
      const left = 1 + Math.exp(x) / first;
      [s, y] = [Math.exp(x) / left, first / left];
      last = at(s, y);
      rate = total(last, 1);
      const gained = total(last, 0) - sense * begun;
      if (gained < r0) low = x;
      else high = x;
      next = x + Math.log(r0 / gained) * gained * left / (rate * s);
    }
    const goal = total(last, 0), end = strengths(last);
    if (!course) return { end };
    // t = int ds / r, r = S - sum K, over x at the drive s / (1 + e^-x), from its beginning on to LEFT: smooth in x.
    // On a plateau r is what it was at the start, r0; Simpson's rule is for the rest.
    const h = (Math.max(Math.log(s * rate / (LEFT * r0)), 1) - SOONEST) / PANELS;
    const step = (x) => {
      const now = s / (1 + Math.exp(-x)), delta = s / (1 + Math.exp(x)), places = at(now, y + delta);
      return { now, places, rest: (1 / (goal - total(places, 0)) - 1 / r0) * now * delta / s };
    };
    const t = [0], K = [starts.map(strength)];
    let from = step(SOONEST), rest = from.rest / 2;
    for (let k = 0; k < PANELS; k++) {
      const middle = step(SOONEST + (k + 0.5) * h), to = step(SOONEST + (k + 1) * h);
      t.push(middle.now / r0 + rest + h / 24 * (5 * from.rest + 8 * middle.rest - to.rest));
      rest += h / 6 * (from.rest + 4 * middle.rest + to.rest);
      t.push(to.now / r0 + rest);
      K.push(strengths(middle.places), strengths(to.places));
      from = to;
    }
    return { end, t, K };
  }

  // 1 / sum w^2, w the shares of |K|.
  const participation = (K) => sum(K.map(Math.abs)) ** 2 / sum(K.map((x) => x * x));

  // The starts that matching gives wide networks of entries N(0, sigma^2 / N), a pathway each.
  function draw(depths, width, sigma, seed) {
    return depths.map((depth, a) => {
      const normal = normals(64 * seed + a), z = normal(); // z first: it is the same at every depth
      // chi^2_N / N by the cube of Wilson and Hilferty: smooth in N, and one normal number each.
      const cube = 2 / (9 * width), squared = () => (sigma * (1 - cube + Math.sqrt(cube) * normal()) ** 1.5) ** 2;
      const forward = [1], backward = [1];
      for (let l = 1; l < depth; l++) {
        forward.push(forward[l - 1] * squared());
        backward.push(backward[l - 1] * squared());
      }
      const growth = sum(forward.map((f, l) => f * backward[depth - 1 - l]));
      return match(z * sigma * Math.sqrt(forward[depth - 1] / width), growth, depth);
    });
  }

  // q^(2(D-1)) + (D-1) K^2 / q^2 = growth, the larger root, and p = K / q^(D-1).
  function match(K, growth, depth) {
    const n = depth - 1, root = depth ** (-1 / n);
    if (depth === 1) return { depth, q: 1, p: K };
    const u = Math.min(n * K * K * growth ** (-depth / n), n * root ** depth);
    let x = 1; // q^2 / growth^(1/n)
    for (let k = 0; k < 60 && x > root; k++) x = Math.max(x - (x ** depth - x + u) / (depth * x ** n - 1), root);
    const q = Math.sqrt(x) * growth ** (0.5 / n);
    return { depth, q, p: Math.sign(K) * Math.min(Math.abs(K) / q ** n, q * (1 - 1e-12)) };
  }

  // Normal numbers of a seed: mulberry32, and Box and Muller's cosine.
  function normals(seed) {
    let state = Math.imul(seed + 1, 0x9e3779b1);
    const uniform = () => {
      state = (state + 0x6d2b79f5) | 0;
      let x = Math.imul(state ^ (state >>> 15), 1 | state);
      x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
      return (((x ^ (x >>> 14)) >>> 0) + 0.5) / 2 ** 32;
    };
    return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  }

  // The law of concentration (docs/concentration.md) of M pathways of one depth D > 2: its variable x, ...
  function variable(D, width, sigma, S) {
    return Math.sqrt(width * D) * (D ** (0.5 / (D - 1)) * sigma / S ** (1 / D)) ** (D - 2);
  }

  // ... and the mean participation there.
  function expected(x, D, M) {
    const power = -D / (D - 2), byQ = (D - 2) ** 2 * gap(D - 2, 1, 1) ** 2 * (2 * D - 1) / (6 * D * (D - 1));
    const spread = (D - 2) * Math.sqrt(D * (byQ + D ** (-D / (D - 1)))) / x;
    return sum(lattice(M).map((z) => {
      let G = 1, w, missing = 1;
      while (missing > 1e-4) {
        w = z.map((each) => (G + spread * each) ** power);
        missing = sum(w) - 1;
        G -= missing / (power * sum(w.map((share, a) => share / (G + spread * z[a]))));
      }
      return participation(w);
    })) / POINTS;
  }

  // How far M normal numbers are below the largest: points that fill the cube evenly.
  const lattices = {};
  function lattice(M) {
    let ratio = 1; // the root of r^(dimensions + 1) = r + 1
    for (let k = 0; k < 32; k++) ratio = (1 + ratio) ** (M > 2 ? 1 / 5 : 1 / 3);
    return lattices[M] ??= Array.from({ length: POINTS }, (_, i) => {
      const u = [1, 2, 3, 4].map((j) => (0.5 + (i + 1) * ratio ** -j) % 1);
      const radius = (j) => Math.sqrt(-2 * Math.log(u[j])), turn = (j) => 2 * Math.PI * u[j + 1];
      const z = [0, 2].flatMap((j) => [radius(j) * Math.cos(turn(j)), radius(j) * Math.sin(turn(j))]).slice(0, M);
      return z.map((each) => Math.max(...z) - each);
    });
  }

  return { run, draw, match, participation, variable, expected };
})();
if (typeof module === "object") module.exports = race;
