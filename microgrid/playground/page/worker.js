/* The engine in the browser: the package's own Python by Pyodide, layouts by Graphviz, both as
   WebAssembly. It gets {id, text}, a question as JSON, and posts {id, text}, the answer. Each time
   that Python begins it posts {said} as each part arrives, and {ready} or {failed}.

   RUNTIME, which stands before this, has the address of each file, and its hash where it comes
   from another host: the browser refuses a file that is not the one. */
const fetched = fetch.bind(globalThis);

/* A file by its name here. Pyodide would wait for ever for one that does not come: so `missing`
   fails, too. */
let miss;
const missing = new Promise((_, reject) => { miss = reject; });
const load = async name => {
  const { url, integrity } = RUNTIME[name];
  const answer = await fetched(new URL(url, import.meta.url), { integrity }).catch(error => error);
  if (answer.ok) return answer;
  const error = Error(`${name} cannot be had from ${url}: ${answer.message ?? answer.status}`);
  miss(error);
  throw error;
};

/* A module by its name here: import() alone would check no hash. */
const module = async name => {
  const script = new Blob([await (await load(name)).arrayBuffer()], { type: "text/javascript" });
  const url = URL.createObjectURL(script);
  return import(url).finally(() => URL.revokeObjectURL(url));
};

/* What Pyodide itself fetches, from wherever RUNTIME has it. A server that does not know .wasm would
   keep the browser from compiling it. */
globalThis.fetch = async (address, options) => {
  const name = String(address).split("/").at(-1);
  if (!(name in RUNTIME)) return fetched(address, options);
  const answer = await load(name);
  if (!name.endsWith(".wasm") || answer.headers.get("Content-Type") === "application/wasm")
    return answer;
  return new Response(answer.body, { headers: { "Content-Type": "application/wasm" } });
};

const said = word => x => (postMessage({ said: word }), x);
const graphviz = module("graphviz.mjs");
let drawer; // of now: after a failure Graphviz begins anew

const python = async () => {
  const [{ loadPyodide }, core] = await Promise.all(["pyodide.mjs", "pyodide.asm.mjs"].map(module));
  return loadPyodide({
    indexURL: "./", createPyodideModule: core.default,
    lockFileContents: { info: PYTHON, packages: {} }, // none beside ours
  });
};

const start = async () => {
  const [machine, engine] = await Promise.all([
    python().then(said("Python")),
    load("engine.zip").then(answer => answer.arrayBuffer()),
    graphviz.then(said("Graphviz")),
  ]);
  machine.unpackArchive(engine, "zip", { extractDir: "/home/pyodide" });
  const { Playground } = machine.pyimport("microgrid.playground.answer");
  return Playground(dot => drawer.layout(dot, "svg", "dot"));
};

const begin = () => {
  const begun = Promise.race([start(), missing]);
  begun.then(() => postMessage({ ready: true }), error => postMessage({ failed: error.message }));
  return begun;
};
let playground = begin();

const reply = async text => {
  const engine = await playground;
  drawer = await (await graphviz).Graphviz.load();
  try {
    return engine.reply(text);
  } catch (error) { // Python itself has failed: it begins anew
    playground = begin();
    throw error;
  }
};

onmessage = async ({ data: { id, text } }) => {
  const failed = error =>
    JSON.stringify({ error: { message: error.message.slice(0, 300), line: 0, column: 0 } });
  postMessage({ id, text: await reply(text).catch(failed) });
};
