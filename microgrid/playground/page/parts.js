/* What the page of the playground is made of, each by itself: two ways to an engine, the address,
   what can be undone, the plot of a descent, files. Nothing here knows the page. */

// An engine answers questions, one at a time: ask(question) gives a promise of the answer.

/** Asks the server that sent this page. Where nobody answers the promise fails. */
const overHttp = async question => {
  const gone = "The server does not answer. Does microgrid play still run?";
  const reply = await fetch("ask", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(question),
    signal: AbortSignal.timeout(PATIENCE + 10_000), // the server ends a drawing itself
  }).catch(() => { throw Error(gone); });
  if (reply.status === 503) throw Error("The server has too much to do.");
  return reply.json().catch(() => { throw Error(gone); });
};

const PATIENCE = 20_000; // milliseconds: what takes longer is ended

/** Asks Python in a worker of this page, which tells `progress` what it loads, and "" once it is
    there. A worker that takes too long is ended, and another one begins. */
const inWorker = progress => {
  let worker, ready, answered, count = 0, before = Promise.resolve();
  const begin = () => {
    worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    ready = new Promise((resolve, reject) => {
      const fail = why => {
        const said = `The engine did not start: ${why}. To try again, reload the page.`;
        progress(said);
        reject(Error(said));
      };
      worker.onerror = event => fail(event.message ?? "a file is missing");
      worker.onmessage = ({ data }) => {
        if (data.failed) fail(data.failed);
        else if (data.ready) resolve(progress(""));
        else if (data.said) progress(`The engine is loading: ${data.said} is there.`);
        else if (data.id === count) answered?.(JSON.parse(data.text));
      };
    });
    ready.catch(() => {}); // who asks hears of it
    progress("The engine is loading.");
  };
  const one = async question => {
    await ready;
    return new Promise(resolve => {
      const late = setTimeout(() => {
        worker.terminate();
        begin();
        answered({ late: true, error: { message: "This took too long and was ended.", line: 0, column: 0 } });
      }, PATIENCE);
      answered = answer => (clearTimeout(late), resolve(answer));
      worker.postMessage({ id: ++count, text: JSON.stringify(question) });
    });
  };
  begin();
  return question => (before = before.then(() => one(question), () => one(question)));
};

/** The examples' own answers lie beside a static page: there before the engine is. */
const withBaked = ask => {
  const read = name => fetch(name).then(reply => reply.json());
  const menu = read("examples.json");
  const same = (a, b) => Object.keys({ ...a, ...b }).every(name => a[name] === b[name]);
  return async question => {
    if (question.ask === "examples") return menu;
    const { examples } = await menu.catch(() => ({ examples: [] }));
    const found = question.ask === "circuit" &&
      examples.find(x => x.text === question.text && same(x.numbers, question.numbers));
    return found?.baked ? read(found.baked).catch(() => ask(question)) : ask(question);
  };
};

// The address: all that a friend needs to see the same

const listed = text => new Set((text ?? "").split(",").filter(Boolean));
const readHash = hash => {
  const bits = new URLSearchParams(hash.replace(/^#/, "")), step = parseInt(bits.get("step"));
  const pairs = [...listed(bits.get("numbers"))].map(pair => pair.split(":"));
  const finite = pairs.filter(([name, x]) => name && x && Number.isFinite(+x));
  return {
    text: (bits.get("text") ?? "").replace(/\r\n?/g, "\n"), // as a textarea has it
    numbers: Object.fromEntries(finite.map(([name, x]) => [name, +x])),
    step: step >= 0 ? step : null, // null: the last
    predict: bits.get("mode") === "predict",
    task: bits.get("task") ?? "",
    ...Object.fromEntries(["hide", "lock", "hold"].map(key => [key, listed(bits.get(key))])),
  };
};
const writeHash = ({ text, numbers, step, predict, task, hide, lock, hold }) => {
  const bits = {
    text, numbers: Object.entries(numbers).map(pair => pair.join(":")).join(),
    step: step === null ? "" : String(step), mode: predict ? "predict" : "", task,
    hide: [...hide].join(), lock: [...lock].join(), hold: [...hold].join(),
  };
  return `#${new URLSearchParams(Object.entries(bits).filter(([, x]) => x))}`;
};

/** What can be undone: states as text, the present one at the end of `past`. */
const chronicle = () => {
  let past = [], future = [];
  return {
    keep(now) {
      if (now === past.at(-1)) return;
      past = [...past.slice(-199), now];
      future = [];
    },
    undo() {
      if (past.length > 1) future.push(past.pop());
      return past.at(-1);
    },
    redo() {
      if (future.length) past.push(future.pop());
      return past.at(-1);
    },
    get can() { return { undo: past.length > 1, redo: future.length > 0 }; },
  };
};

// Numbers

const FEW = 60; // gates: more are not drawn before a reader wishes it

/** A number as a field has it, with the hyphen of a keyboard. */
const plain = shown => shown.replace("−", "-");

/** A number of a gate's arithmetic, with as many digits as it takes to go on with it. */
const digits = x => (typeof x === "string" ? x : String(+x.toPrecision(4))).replace("-", "−");

/** How far a slider reaches: 1, 2 or 5 times a power of ten, beyond the number and at least 5; but
    not to where its whole length is no float. */
const reachOf = x => {
  const size = Math.min(1e307, Math.max(5, Math.abs(x) * 1.25)), ten = 10 ** Math.floor(Math.log10(size));
  return ten * [1, 2, 5, 10].find(n => n * ten >= size);
};

/** A field of numbers takes 1,5 and −1 for 1.5 and -1: the browser would drop the sign, and read 15. */
const spelled = field => field.addEventListener("beforeinput", event => {
  const { data } = event;
  if (!/[,−]/.test(data ?? "")) return;
  event.preventDefault();
  document.execCommand("insertText", false, data.replaceAll(",", ".").replaceAll("−", "-"));
});

/** The number with what a step of the slider leaves of it: 0.30000000000000004 is 0.3. */
const tidy = (x, step) => +(Math.round(x / step) * step).toPrecision(12);

// Elements, drawings and files

const make = (tag, properties, ...children) => {
  const e = Object.assign(document.createElement(tag), properties);
  e.append(...children);
  return e;
};
const drawn = (tag, attributes = {}, ...children) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, x] of Object.entries(attributes)) e.setAttribute(name, x);
  e.append(...children);
  return e;
};

const stepsOf = ({ length }) => `${length - 1} ${length === 2 ? "step" : "steps"}`;

/** The losses of a descent as a line; in powers of ten where they fall by more than a hundredfold. */
const plotOf = losses => {
  const [wide, tall, left, low] = [320, 132, 52, 20], finite = losses.filter(Number.isFinite);
  const [least, most] = [Math.min(...finite), Math.max(...finite)];
  const powers = least > 0 && most > 100 * least, scale = powers ? Math.log10 : x => x;
  const span = scale(most) - scale(least) || 1, count = Math.max(1, losses.length - 1);
  const x = i => left + ((wide - left - 8) * i) / count;
  const y = loss => 8 + ((tall - low - 16) * (scale(most) - scale(loss))) / span;
  const at = losses.flatMap((loss, i) => (Number.isFinite(loss) ? [`${x(i)},${y(loss)}`] : []));
  const word = (text, x, y, anchor) => drawn("text", { x, y, "text-anchor": anchor }, text);
  const said = `The loss over ${stepsOf(losses)}: from ${digits(losses[0])} to ${digits(losses.at(-1))}`;
  return drawn("svg", { viewBox: `0 0 ${wide} ${tall}`, role: "img", "aria-label": said },
    drawn("path", { class: "axes", d: `M${left} 4V${tall - low}H${wide - 4}` }),
    drawn("polyline", { points: at.join(" ") }),
    ...at.slice(-1).map(p => drawn("circle", { cx: p.split(",")[0], cy: p.split(",")[1], r: 3.5 })),
    word(digits(most), left - 6, 14, "end"), word(digits(least), left - 6, tall - low - 4, "end"),
    word("0", left, tall - 5, "middle"), word(String(losses.length - 1), wide - 8, tall - 5, "end"),
    word(powers ? "steps (powers of ten)" : "steps", (wide + left) / 2, tall - 5, "middle"));
};

const download = (name, blob) => {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};

const LARGEST = 64e6, LONGEST = 16_000; // pixels of a PNG, on its longest side

/** A picture as PNG, three pixels for each of the screen's, on white; fewer for a large picture, and
    null for one that the browser cannot make. */
const pngOf = async svg => {
  const image = new Image(), url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  image.src = url;
  await image.decode();
  const { width, height } = image, canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  const scale = Math.min(3, LONGEST / Math.max(width, height), Math.sqrt(LARGEST / (width * height)));
  [canvas.width, canvas.height] = [Math.ceil(scale * width), Math.ceil(scale * height)];
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(url);
  return new Promise(resolve => canvas.toBlob(resolve, "image/png"));
};
