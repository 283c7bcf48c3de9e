// Finds an engine in a file: what makes its nodes, and its operations, which are methods, static
// methods or functions of the module with usual names. If yours have others, add them here.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

// After microgrid's name come others; capitals and underscores do not matter.
const PARTS = `data value val v getdata getvalue, grad gradient deriv derivative getgrad,
  backward backprop backpropagate backpropagation back, zero zerograd resetgrad cleargrad`;
const NAMES = {
  1: `neg negate negative, abs absolute, exp, expm1, log ln, log2, log10, log1p, sqrt, cbrt, sin,
    cos, tan, sinh, cosh, tanh, arcsin asin, arccos acos, arctan atan, arcsinh asinh, erf, erfc,
    arccosh acosh, arctanh atanh, square sqr, reciprocal inv inverse, relu, sigmoid sigm logistic,
    softplus, log_sigmoid, silu swish, softsign`,
  2: `add plus sum, sub subtract minus, mul multiply times mult prod product, div divide divideby,
    power pow, arctan2 atan2, hypot, logaddexp`,
  list: "total sum addall, mean average, maximum max, minimum min",
};
const sum = (xs) => xs.reduce((a, b) => a + b);
const LISTS = { total: sum, mean: (xs) => sum(xs) / xs.length,
  maximum: (xs) => Math.max(...xs), minimum: (xs) => Math.min(...xs) };
const FACTORY = /^(value|scalar|var|node|num|leaf|tensor|const|create|make|new|default)/i;
const MAKERS = [(C, x) => new C(x), (C, x) => C(x), (C, x) => new C(x, []),
  (C, x) => new C(x, "x", true), (C, x) => new C(x, true), (C, x) => new C({ data: x, value: x }),
  ...["of", "from", "leaf", "create", "variable"].map((name) => (C, x) => C[name](x))];

const plain = (name) => name.replaceAll("_", "").toLowerCase();
const entries = (names, arity) => names.split(/,\s*/).map((text) => text.split(" "))
  .map((words) => [words[0], { arity: Number(arity) || arity, words: words.map(plain) }]);
const OPERATIONS = Object.fromEntries(
  Object.entries(NAMES).flatMap(([arity, names]) => entries(names, arity)));
const TOLD = JSON.parse(process.env.MICROGRID_NAMES ?? "{}"); // --data, --grad, --backward
const TABLE = { ...OPERATIONS, ...Object.fromEntries(entries(PARTS).map(([part, known]) =>
  [part, { words: TOLD[part] ? [plain(TOLD[part].split("(")[0])] : known.words }])) };

const attempt = (work) => { try { return work(); } catch { return undefined; } };
const keys = (x) => (x == null || x === Object.prototype || x === Function.prototype ? []
  : [...Object.getOwnPropertyNames(x), ...keys(Object.getPrototypeOf(x))]);
export const functions = (x) =>
  keys(x).filter((key) => attempt(() => typeof x[key]) === "function");
const named = (names, what) => TABLE[what].words // private names come last
  .flatMap((word) => names.filter((name) => plain(name) === word))
  .sort((a, b) => a.startsWith("_") - b.startsWith("_"));
export const read = (x, key) => (typeof x[key] === "function" ? x[key]() : x[key]);
export const gradient = (x) => named(keys(x), "grad")[0];

async function load(file) { // what the file defines, by name; a script exports nothing
  const url = pathToFileURL(file), module = await import(url);
  const all = { ...module.default, ...module };
  if (Object.values(all).some((x) => typeof x === "function")) return all;
  const text = readFileSync(file, "utf8");
  const names = Array.from(text.matchAll(/^(?:class|function|const|let|var) (\w+)/gm), (x) => x[1]);
  return import(`data:text/javascript,${encodeURIComponent(`${text}\nexport { ${names} };`)}`);
}

function ways({ node, C, module }, what) { // all calls of what has one of these names
  const methods = named(functions(node), what)
    .map((key) => ({ key, method: true, call: (x, ...more) => x[key](...more) }));
  const others = [C, module].flatMap((owner) => named(functions(owner), what).flatMap((key) => [
    { key, call: (...xs) => owner[key](...xs) },
    ...(what in LISTS ? [{ key, call: (...xs) => owner[key](xs) }] : [])]));
  return [...methods, ...others];
}

function learn(engine, what) { // the ways to do it: of nodes, or with a plain number on one side
  const all = ways(engine, what), { arity } = OPERATIONS[what], { make } = engine;
  const result = (way, xs) => attempt(() => read(way.call(...xs), engine.data));
  const find = (is, ...xs) => all.find((way) => is(result(way, xs)));
  if (arity === "list") {
    const right = (...xs) => all.find((way) => [xs, [...xs].reverse()].every((numbers) =>
      Math.abs(result(way, numbers.map(make)) - LISTS[what](numbers)) < 1e-5));
    const many = right(0.75, 0.5, 0.25);
    return { both: many ?? right(0.75, 0.5), arity: many ? arity : 2 };
  }
  const xs = [make(0.75), make(0.5)].slice(0, arity), both = find(Number.isFinite, ...xs);
  const same = (r) => Number.isFinite(r) && (!both || Math.abs(r - result(both, xs)) < 1e-9);
  const [left, right] = arity === 2 ? [find(same, 0.75, xs[1]), find(same, xs[0], 0.5)] : [];
  const broken = find((r) => typeof r === "number", ...xs) ?? all.find((way) => way.method);
  return { left, right, arity, both: both ?? (right ? undefined : broken) };
}

function* engines(module, wanted) { // what makes nodes that have an operation and a backward pass
  const things = Object.entries(module).filter(([key, C]) => typeof C === "function" && (wanted
    ? [key, C.name].includes(wanted) : keys(C.prototype).length > 1 || FACTORY.test(key)));
  for (const [key, C] of things.sort(([a], [b]) => (b === "Value") - (a === "Value"))) {
    for (const maker of MAKERS) {
      const make = (x) => maker(C, x), node = attempt(() => make(0.75));
      const data = [...named(keys(node), "data"), ...keys(node)]
        .find((name) => attempt(() => read(node, name)) === 0.75);
      const name = [C.name, key, "Value"].find((x) => /^(?!default)\w+$/.test(x));
      const engine = { module, name, C, make, node, data };
      if (data === undefined || !["mul", "add"].some((x) => ways(engine, x).length)) continue;
      for (const { key, method, call } of ways(engine, "backward")) {
        for (const seed of [[], [1]]) {
          const text = method ? `VALUE.${key}(${seed})` : `${key}(${["VALUE", ...seed]})`;
          yield { ...engine, backward: (f) => call(f, ...seed), names: { data, backward: text } };
        }
      }
    }
  }
}

function works(engine) { // whether a gradient arrives at a leaf
  const x = engine.make(0.75), way = learn(engine, "mul").both ?? learn(engine, "add").both;
  engine.backward(way.call(x, engine.make(0.5)));
  return read(x, gradient(x));
}

export async function found(file, wanted) {
  const module = await load(file), all = [...engines(module, wanted)];
  const engine = all.find((x) => attempt(() => works(x))) ?? all[0];
  if (!engine) {
    const there = Object.keys(module).join(", ") || "nothing";
    throw new Error(`no class with add or mul and backward was found; the file has ${there}`);
  }
  const known = Object.keys(OPERATIONS).map((what) => [what, learn(engine, what)]);
  const operations = Object.fromEntries(known.filter(([, way]) => way.both || way.right));
  engine.names.grad = gradient(engine.node) ?? "grad";
  return { ...engine, operations, zero: named(functions(engine.node), "zero")[0] };
}
