// The adapter for engines in JavaScript, or built from TypeScript (the protocol: README.md).
//
//     microgrid check --command "node javascript.mjs engine.mjs [CLASS]"
//
// The file beside it finds the engine and its operations by their usual names; here is what every
// adapter does: greet, run programs, and answer with numbers.
import { readFileSync } from "node:fs";
import * as modules from "node:module";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import { found, functions, gradient, read } from "./javascript_names.mjs";

const answers = process.stdout.write.bind(process.stdout);
const say = (message) => answers(`${JSON.stringify(message)}\n`);
process.stdout.write = process.stderr.write.bind(process.stderr); // what the engine prints
process.on("uncaughtException", () => {}); // of what the engine has started

modules.register?.(`data:text/javascript,${encodeURIComponent(`
  export async function resolve(name, context, next) { // what TypeScript leaves: import "./value"
    const endings = name.startsWith(".") ? [".js", ".ts", "/index.js", "/index.ts"] : [];
    const found = (end) => next(name + end, context).catch((error) => error);
    for (const end of ["", ...endings]) {
      const url = await found(end);
      if (!(url instanceof Error)) return url;
    }
    return next(name, context);
  }`)}`);

class Absent extends Error {}

function unknown({ node, module, operations, zero, names }) { // what is there, and not checked
  const used = Object.values(operations).flatMap((x) => [x.left?.key, x.right?.key, x.both?.key]);
  const others = [...functions(Object.getPrototypeOf(node)), ...functions(module)];
  return others.filter((name) => /^(?!.*back|constructor|to[A-Z]|valueOf)[a-z]/.test(name)
    && ![...used, zero, names.data, names.grad].includes(name));
}

function greeting(engine) {
  const side = ({ left, right }) => (left ? right ? "either" : "left" : right ? "right" : "none");
  const about = ([name, way]) => [name, { arity: way.arity, numbers: side(way) }];
  const { names, zero } = engine;
  return { protocol: 1, language: "JavaScript", class: engine.name, names,
    operations: Object.fromEntries(Object.entries(engine.operations).map(about)),
    offers: ["set data", "set grad", ...(zero ? ["zero"] : [])], "not checked": unknown(engine) };
}

function evaluate(engine, { program, look }) {
  const nodes = new Map();
  const steps = {
    set: (step) => nodes.set(step.set, value(step.to)),
    backward: (step) => engine.backward(value(step.backward)),
    "set data": (step) => { nodes.get(step["set data"])[engine.data] = step.to; },
    "set grad": (step) => { const x = nodes.get(step["set grad"]); x[gradient(x)] = step.to; },
    zero: (step) => nodes.get(step.zero)[engine.zero](),
    repeat: (step) => { for (let i = 0; i < step.repeat; i += 1) run(step.program); },
    forget: (step) => step.forget.forEach((name) => nodes.delete(name)),
  };
  function run(program) { // the first key of a step says what to do
    for (const step of program) steps[Object.keys(step)[0]](step);
  }
  function value(tree) {
    if (typeof tree === "number") return tree;
    if (typeof tree === "string") return nodes.get(tree);
    return "leaf" in tree ? engine.make(tree.leaf) : apply(tree.apply, tree.of.map(value));
  }
  function apply(name, operands) {
    const [left, right] = operands.map((x) => typeof x === "number");
    const way = engine.operations[name][left ? "left" : right ? "right" : "both"];
    if (!way) throw new Absent(`${name} takes ${left || right ? "no" : "a"} plain number here`);
    const f = way.call(...operands);
    if (typeof f !== "object" || f === null) throw new TypeError(`${name} returned ${f}`);
    return f;
  }
  run(program);
  return look.map((text) => {
    const [name, what] = text.split("."), x = nodes.get(name);
    return number(text, what === "data" ? read(x, engine.data) : read(x, gradient(x)) ?? 0);
  });
}

function number(text, x) { // JSON has no nan and no inf
  const is = x?.constructor?.name ?? x;
  if (typeof x !== "number") throw new TypeError(`${text} is a ${is}, not a number`);
  return Number.isFinite(x) ? x : String(x).replace("NaN", "nan").replace("Infinity", "inf");
}

function failure(error) {
  if (error instanceof Absent) return { absent: error.message };
  const native = [TypeError, RangeError, ReferenceError].some((type) => error instanceof type);
  const domain = !native && /zero|negative|positive|domain/i.test(error);
  const kind = /call stack/.test(error) ? "depth" : domain ? "domain" : "other";
  return { error: String(error), kind, refused: !native, where: where(error) };
}

function where(error) { // "line 7: return this.value", if it was in the engine's file
  const frame = new RegExp(`${basename(process.argv[2])}:(\\d+):\\d+\\)?$`, "m");
  const line = frame.exec(error?.stack)?.[1];
  const text = line && readFileSync(process.argv[2], "utf8").split("\n")[line - 1];
  return text ? `line ${line}: ${text.trim()}` : "";
}

try {
  const engine = await found(process.argv[2], process.argv[3]);
  say(greeting(engine));
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    try {
      say({ id: request.id, numbers: evaluate(engine, request) });
    } catch (error) {
      say({ id: request.id, ...failure(error) });
    }
  }
} catch (error) {
  const unbuilt = error?.code === "ERR_UNKNOWN_FILE_EXTENSION";
  say({ error: `${error}${unbuilt ? ": build it (tsc), or take node 22.18 or later" : ""}` });
}
