/* The playground's page: a circuit is typed, a number dragged, and what Python answers is shown.

     mount(element, ask, options)   ask(question) gives a promise of the answer; options: `alone`, a
                                    page of its own, with an address; `fixed`, a circuit that has no
                                    text; `listen(hear)`, where an engine tells what it still loads

   The page computes no derivative and compares no guess: it asks. */

const ICONS = { undo: "M7 2L2 6.5 7 11V8c4 0 6 1 7 5 0-6-3-8-7-8z", redo: "M9 2l5 4.5L9 11V8c-4 0-6 1-7 5 0-6 3-8 7-8z" };
const icon = name => `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
const COPIES = { // as what a circuit is copied: where to
  python: ["Python", "clipboard"], latex: ["LaTeX", "clipboard"], svg: ["SVG", "file"], png: ["PNG", "file"],
  worksheet: ["Worksheet", "file"],
};
const HIDDEN = { // what a lesson can hide
  text: "the text", sliders: "the sliders", gradients: "the gradients, in picture and list",
  words: "the words of each step", table: "the table", descent: "descent",
};
const LOCKED = { text: "the text", numbers: "the numbers" };
const boxes = (name, table) => Object.entries(table).map(([key, words]) =>
  `<label><input type="checkbox" name="${name}" value="${key}">${words}</label>`).join("");

const FRAME = `
<header>
  <label class="menu">Example<select><option value="">choose …</option></select></label>
  <div class="tools" role="group" aria-label="Tools">
    <button type="button" data-act="undo" aria-label="Undo" title="Undo (Ctrl+Z)">${icon("undo")}</button>
    <button type="button" data-act="redo" aria-label="Redo" title="Redo (Ctrl+Shift+Z)">${icon("redo")}</button>
    <details class="copy"><summary>Copy as …</summary><div>${Object.entries(COPIES).map(([kind, [name]]) =>
      `<button type="button" data-copy="${kind}">${name}</button>`).join("")}</div></details>
    <button type="button" data-act="lesson">Make a lesson</button>
    <button type="button" data-act="link" class="main">Copy link</button>
  </div>
</header>
<p class="engine" role="status" hidden></p>
<p class="task" hidden></p>
<div class="desk">
  <div class="write">
    <label><span>Circuit: lines <code>name = expression</code>, the last one is the result; other names get sliders</span>
      <span class="sheet"><span class="mirror" aria-hidden="true"></span><textarea rows="1" spellcheck="false"
        autocapitalize="off" autocomplete="off" autocorrect="off"></textarea></span></label>
    <p class="notes" hidden></p>
  </div>
  <p class="wrong" role="alert" hidden></p>
  <p class="point" hidden></p>
  <section class="stage" aria-label="The circuit">
    <div class="top">
      <p class="result"><i></i> = <output data-result></output></p>
      <p class="trouble" role="status" hidden></p>
      <button type="button" data-act="predict" aria-pressed="false">Predict</button>
    </div>
    <p class="large" hidden><span></span> <button type="button" data-act="draw">Draw it</button></p>
    <div class="microgrid-steps film"></div>
    <div class="beside" hidden></div>
    <details class="ledger"><summary>Every += of the backward pass, as a table</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="Every += of the backward pass"></div></details>
  </section>
  <aside aria-label="Numbers">
    <fieldset class="leaves"><legend>Leaves</legend><div class="head" aria-hidden="true"><span>name</span><span></span>
      <span>value</span><span>gradient</span><span></span></div><div class="rows"></div></fieldset>
    <details class="descent"><summary>Descent: against the gradient</summary>
      <p>Every leaf that is not held moves by −rate × gradient, so that <i class="of"></i> falls.</p>
      <div class="line"><label>Rate<input type="number" class="rate" min="0" step="any" value="0.1"></label>
        <button type="button" data-steps="1">1 step</button><button type="button" data-steps="100">100 steps</button></div>
      <p class="said" role="status"></p><div class="plot"></div></details>
  </aside>
</div>
<p class="toast" role="status"></p>
<dialog class="lesson" aria-label="Make a lesson"><form method="dialog">
  <h2>Make a lesson</h2>
  <p>A link to this circuit with a task. Who opens it sees the task and what you leave visible.</p>
  <label>Task<input type="text" name="task" maxlength="500" placeholder="Move w until the gradient of x is 0."></label>
  <fieldset><legend>Hide</legend>${boxes("hide", HIDDEN)}</fieldset>
  <fieldset><legend>Lock</legend>${boxes("lock", LOCKED)}<label>leaves<input type="text" name="leaves" placeholder="x, y"></label></fieldset>
  <label class="check"><input type="checkbox" name="predict">begin with predicting</label>
  <div class="line"><button value="link" class="main">Copy lesson link</button><button value="open">Open it here</button>
    <button value="" formnovalidate>Cancel</button></div></form></dialog>
<dialog class="text" aria-label="Copy"><form method="dialog"><label>Copy this<textarea readonly rows="6"></textarea></label>
  <button>Close</button></form></dialog>`;

const mount = (element, ask, { alone = false, fixed = false, listen = () => {} } = {}) => {
  element.insertAdjacentHTML("beforeend", FRAME);
  const find = selector => element.querySelector(selector);
  const text = find("textarea"), mirror = find(".mirror"), wrong = find(".wrong"), menu = find(".menu select");
  const root = find(".film"), rows = find(".rows"), leaves = find(".leaves"), ledger = find(".ledger");
  const descent = find(".descent"), lesson = find("dialog.lesson");
  const film = player(root), view = root.querySelector(".view");
  const state = readHash("");
  const undone = chronicle();
  const make = (tag, properties, ...children) => {
    const e = Object.assign(document.createElement(tag), properties);
    e.append(...children);
    return e;
  };
  const say = (selector, words) => {
    const e = find(selector);
    e.hidden = !words;
    if (e.textContent !== words) e.textContent = words;
  };
  let toasted = 0;
  const toast = words => {
    clearTimeout(toasted);
    say(".toast", words);
    toasted = setTimeout(() => say(".toast", ""), 4000);
  };
  if (fixed) element.classList.add("fixed");
  if (alone) [text.id, view.id] = ["source", "picture"];

  // Questions: one circuit is under way; of those that wait only the newest is asked

  let answer = null, loaded = null; // the last one that was a circuit; the key of its drawing
  let waiting = null, busy = false, gone = false, most = 60; // gates that are drawn without a word
  const question = () => ({
    ask: "circuit", text: state.text, numbers: { ...state.numbers }, digits: 2, most,
    ...(state.predict && { rows: true }), ...(ledger.open && { table: true }),
  });
  const update = () => {
    waiting = question();
    if (!busy) turn();
  };
  const turn = async () => {
    busy = true;
    while (waiting) {
      const asked = waiting;
      waiting = null;
      try {
        receive(await ask({ ...asked, have: loaded }), asked);
        gone = false;
      } catch (error) {
        if (!gone) complain(error.message);
        gone = true;
        console.debug(error);
        await new Promise(resolve => setTimeout(resolve, 1000));
        waiting ??= question();
      }
    }
    busy = false;
  };
  const also = async more => { // a question beside it
    const found = await ask({ text: state.text, numbers: { ...state.numbers }, ...more })
      .catch(error => ({ error: { message: error.message } }));
    if (!found.error) return found;
    toast(found.error.message);
    if (!busy) update(); // which waits for an engine that is gone
    return null;
  };
  const complain = (words, line = 0, column = 0) => {
    element.classList.toggle("stale", !!words);
    text.setAttribute("aria-invalid", String(!!words && line > 0));
    say(".wrong", words && line > 1 ? `Line ${line}: ${words}` : words);
    const at = state.text.split("\n").slice(0, line - 1).reduce((n, x) => n + x.length + 1, column - 1);
    const mark = make("mark", { textContent: state.text.slice(at, at + 1).trim() || " " });
    mirror.replaceChildren(...(words && line ? [state.text.slice(0, at), mark, state.text.slice(at + 1)] : [state.text]), "\n");
  };
  const receive = (got, asked) => {
    if (got.error) {
      const { message, line, column } = got.error;
      if (asked.text === state.text) complain(message, line, column);
      return;
    }
    answer = got;
    complain("");
    say(".large span", got.undrawn ? `${got.gates} gates: to draw them takes some seconds.` : "");
    find(".large").hidden = !got.undrawn;
    root.inert = !!got.undrawn;
    root.classList.toggle("undrawn", !!got.undrawn);
    list();
    find(".result").hidden = false;
    find(".result i").textContent = find(".of").textContent = got.result.name || "the result";
    if (!got.undrawn) {
      arriving = true;
      film.load(got.film, got.svg);
      if (got.svg) loaded = got.key;
      for (const leaf of got.leaves) part(valueOf(leaf)?.[0])?.classList.toggle("grip", movable(leaf.name));
      land();
      arriving = false;
    }
    follow();
    say(".trouble", got.trouble?.words ?? "");
    for (const e of view.querySelectorAll(".bad")) e.classList.remove("bad");
    if (got.trouble) part(got.trouble.node)?.classList.add("bad");
    say(".notes", got.notes.join(" "));
    if (got.table) ledger.querySelector(".scroll").innerHTML = got.table;
    remember();
  };

  // Frames

  let arriving = false; // a new circuit: no reader takes a step
  const part = id => id && view.querySelector(`#${CSS.escape(id)}`);
  const frames = () => answer.film.frames;
  const asks = i => answer.rows?.[i]?.length && !foretold.has(i);
  const land = () => {
    const last = frames().length - 1, open = frames().findIndex((_, i) => asks(i));
    const end = state.predict && open > 0 ? open - 1 : last;
    const k = Math.min(last, state.step ?? end);
    if (state.predict && answer.rows && asks(k + 1) && (guess || state.step === null)) inquire(k + 1);
    else if (film.at !== k) film.show(k);
  };
  root.addEventListener("beforestep", event => {
    const { from, to } = event.detail;
    let i = from + 1;
    while (state.predict && i <= to && !asks(i)) i++;
    if (state.predict && i <= to) {
      event.preventDefault();
      inquire(i);
      guess.fields.find(field => !field.readOnly)?.focus();
    } else close();
  });
  root.addEventListener("step", event => {
    if (arriving) return;
    state.step = event.detail === frames().length - 1 ? null : event.detail;
    follow();
    remember();
  });
  const follow = () => { // what stands beside the picture and follows its frame
    for (const row of rows.children) {
      const spans = spansOf(row.leaf), [id, since, , shown] = spans.at(-1) ?? ["", 0, 0, told(row.leaf.gradient)];
      const known = !state.predict || film.at >= since, words = known ? plain(shown) : "?";
      if (row.gradient.textContent !== words) row.gradient.textContent = words;
      row.gradient.title = known ? `${row.leaf.gradient}` : "Predict it";
      row.nudge.hidden = !known;
    }
    const shown = spansOf(answer.result)?.[0]?.[3] ?? told(answer.result.value);
    find("[data-result]").textContent = plain(shown);
  };
  const plain = shown => shown.replace("−", "-"); // as in the field beside it
  const spansOf = ({ wire }) => answer.film.spans.filter(([id]) => wire && id.startsWith(`${wire}_`));
  const valueOf = leaf => spansOf(leaf)[0];

  // Leaves

  const locked = what => state.lock.has(what);
  const movable = name => !locked("numbers") && !locked(name) && !leaves.disabled;
  const set = (name, x) => {
    if (!Number.isFinite(x)) return;
    state.numbers[name] = x;
    losses = [];
    quietly();
    update();
  };
  let quiet = 0; // while a number moves nothing is read out
  const quietly = () => {
    const words = root.querySelector(".words");
    clearTimeout(quiet);
    words.setAttribute("aria-live", "off");
    quiet = setTimeout(() => words.setAttribute("aria-live", "polite"), 1000);
  };
  const rowOf = leaf => {
    const { name, shown } = leaf;
    const range = make("input", { type: "range", ariaLabel: shown });
    const field = make("input", { type: "number", ariaLabel: `${shown}, its value`, step: "any" });
    const gradient = make("output", { ariaLabel: `gradient of ${shown}` });
    const nudge = make("button", { type: "button", className: "nudge", textContent: "+0.01", ariaLabel: `Nudge ${shown} by 0.01`, title: "What does the result do if this number grows by 0.01?" });
    const hold = make("button", { type: "button", className: "hold", textContent: "hold", ariaLabel: `Hold ${shown} in the descent` });
    const said = make("p", { className: "said" });
    said.setAttribute("role", "status");
    for (const [e, key] of [[range, "leaf"], [field, "leaf"], [gradient, "gradient"]]) e.dataset[key] = name;
    range.addEventListener("input", () => set(name, +range.value));
    field.addEventListener("input", () => field.value !== "" && set(name, +field.value));
    for (const e of [range, field]) e.addEventListener("change", () => (settle(), adjust(row, true)));
    nudge.addEventListener("click", async () => {
      const found = await also({ ask: "nudge", leaf: name, by: 0.01 });
      if (found) said.textContent = found.sentence;
    });
    hold.addEventListener("click", () => {
      if (!state.hold.delete(name)) state.hold.add(name);
      hold.setAttribute("aria-pressed", String(state.hold.has(name)));
      remember();
    });
    const row = make("div", { className: "leaf", leaf, range, field, gradient, nudge, hold, said },
      make("span", { className: "name", textContent: shown }), range, field, gradient, nudge, hold, said);
    return row;
  };
  const adjust = (row, grow = false) => { // the slider's reach follows the number
    const { range, leaf } = row, reach = reachOf(leaf.value);
    if (!range.step || grow || Math.abs(leaf.value) > range.max) {
      [range.min, range.max, range.step] = [-reach, reach, reach / 500];
      range.value = leaf.value;
    }
  };
  const list = () => {
    const names = answer.leaves.map(leaf => leaf.name).join();
    if (rows.dataset.names !== names) {
      rows.dataset.names = names;
      rows.replaceChildren(...answer.leaves.map(rowOf));
    }
    answer.leaves.forEach((leaf, i) => {
      const row = rows.children[i], { range, field, said, hold } = row;
      if (row.leaf.value !== leaf.value || row.leaf.gradient !== leaf.gradient) said.textContent = "";
      row.leaf = leaf;
      adjust(row);
      if (!range.matches(":active")) range.value = leaf.value;
      if (document.activeElement !== field) field.value = +leaf.value.toPrecision(6);
      range.disabled = field.disabled = !movable(leaf.name);
      hold.setAttribute("aria-pressed", String(state.hold.has(leaf.name)));
    });
  };
  let drag = null; // of a number in the picture
  root.addEventListener("pointerdown", event => {
    const id = event.target.closest?.("text[id]")?.id;
    const leaf = id && event.button === 0 && answer.leaves.find(x => valueOf(x)?.[0] === id && movable(x.name));
    if (!leaf) return;
    event.stopPropagation();
    const { range } = rows.children[answer.leaves.indexOf(leaf)];
    drag = { name: leaf.name, x: event.clientX, from: leaf.value, moved: false, by: Math.max(0.01, range.max / 500) };
  }, true);
  root.addEventListener("pointermove", event => {
    if (!drag) return;
    event.stopPropagation();
    const far = event.clientX - drag.x;
    if (!drag.moved && Math.abs(far) < 3) return;
    if (!drag.moved) view.setPointerCapture(event.pointerId);
    drag.moved = true;
    set(drag.name, tidy(drag.from + Math.round(far) * drag.by * (event.shiftKey ? 0.1 : 1), drag.by / 10));
  }, true);
  for (const end of ["pointerup", "pointercancel"]) root.addEventListener(end, () => {
    if (drag?.moved) settle();
    if (drag) setTimeout(() => (drag = null)); // after the click, which would open the wire's sum
  }, true);
  root.addEventListener("click", event => drag?.moved && event.stopPropagation(), true);

  // Predict: a step back is shown once its shares were given

  let guess = null, foretold = new Set(), score = [0, 0]; // first tries that were right, and all
  const form = make("form", { className: "guess", hidden: true, noValidate: true });
  root.querySelector(".bar").after(form);
  const inquire = to => {
    film.show(to - 1, to); // its marks, without its numbers
    if (guess?.to === to && guess.asked === JSON.stringify(answer.rows[to])) return;
    const shares = answer.rows[to], several = shares.length > 1;
    const fields = shares.map(row => make("input", { type: "text", autocomplete: "off", ariaLabel: `share to ${row.to}` }));
    const hints = shares.map((_, i) => make("span", { className: "hint", id: `${answer.film.prefix}hint${i}` }));
    fields.forEach((field, i) => field.setAttribute("aria-describedby", hints[i].id));
    guess = { to, asked: JSON.stringify(shares), fields, hints, tried: shares.map(() => false) };
    form.replaceChildren(
      make("p", {}, "Predict: ", make("b", { textContent: shares[0].gate }), " receives the gradient ",
        make("b", { className: "red", textContent: told(shares[0].upstream) }),
        several ? ". Which shares does it send back?" : ". Which share does it send back?"),
      ...shares.map((row, i) => make("div", { className: "line" }, make("label", {}, "to ", make("i", { textContent: row.to }), fields[i]), hints[i])),
      make("div", { className: "line" }, make("button", { className: "main", textContent: "Check" }),
        make("button", { type: "button", textContent: "Show me", onclick: () => reveal("Shown") })));
    form.hidden = false;
    form.setAttribute("aria-label", "Predict");
  };
  const close = () => {
    guess = null;
    form.hidden = true;
  };
  const reveal = words => {
    const { to } = guess, all = frames().length - 1, after = frames().findIndex((_, i) => i > to && asks(i));
    guess.tried.forEach(tried => tried || score[1]++);
    foretold.add(to);
    guess = null;
    film.show(after < 0 ? all : to);
    const [first, count] = score, next = make("button", { type: "button", className: "main", textContent: "Next gate" });
    const end = `${words}. That was the last gate: ${first} of ${count} shares right at the first try.`;
    next.onclick = () => { inquire(after); guess.fields[0].focus(); };
    form.replaceChildren(make("p", { textContent: after < 0 ? end : `${words}.` }), ...(after < 0 ? [] : [next]));
    if (after < 0) root.focus();
    else next.focus();
  };
  form.addEventListener("submit", async event => {
    event.preventDefault();
    const now = guess, { to, fields, hints, tried } = now;
    if (!now) return;
    const found = await Promise.all(fields.map((field, i) =>
      field.readOnly ? { right: true, hint: "" } : field.value.trim() ? also({ ask: "guess", frame: to, to: i, guess: field.value }) : { hint: "a number, please" }));
    if (guess !== now || found.includes(null)) return;
    found.forEach(({ right, hint }, i) => {
      const [field, words] = [fields[i], hints[i]];
      if (!tried[i] && field.value.trim()) {
        tried[i] = true;
        score[1]++;
        if (right) score[0]++;
      }
      field.readOnly = !!right;
      field.setAttribute("aria-invalid", String(!right));
      words.classList.toggle("right", !!right);
      words.textContent = right ? "✓ right" : hint;
    });
    if (found.every(x => x.right)) reveal("Right");
    else fields.find(field => !field.readOnly).focus();
  });
  const predict = on => {
    state.predict = on;
    state.step = null;
    foretold = new Set();
    score = [0, 0];
    close();
    furnish();
    update();
    remember(true);
  };

  // Descent

  let losses = [];
  const descend = async steps => {
    const rate = +find(".rate").value, found = await also({ ask: "descend", rate, steps, fixed: [...state.hold] });
    if (!found) return;
    losses = [...losses, ...found.losses.slice(losses.length ? 1 : 0)];
    Object.assign(state.numbers, found.numbers);
    const end = losses.length > 1 ? `${told(losses[0])} → ${told(losses.at(-1))} in ${losses.length - 1} steps` : "";
    descent.querySelector(".said").textContent = [end, found.said].filter(Boolean).join("; ");
    find(".plot").replaceChildren(plotOf(losses));
    quietly();
    update();
    settle();
  };
  for (const b of descent.querySelectorAll("[data-steps]")) b.addEventListener("click", () => descend(+b.dataset.steps));
  descent.addEventListener("toggle", () => element.classList.toggle("descending", descent.open));

  // What is kept: the address, and what can be undone

  let later = 0;
  const remember = (apart = false) => { // apart: the browser's way back leads to what was before
    if (!alone) return;
    clearTimeout(later);
    if (apart) history.pushState(null, "", writeHash(current()));
    else later = setTimeout(() => history.replaceState(null, "", writeHash(current())), 200);
  };
  const current = () => {
    const leaves = answer && !waiting ? answer.leaves : [];
    const seen = Object.fromEntries(leaves.map(leaf => [leaf.name, state.numbers[leaf.name] ?? leaf.value]));
    return { ...state, numbers: leaves.length ? seen : state.numbers };
  };
  const settle = () => {
    undone.keep(JSON.stringify({ text: state.text, numbers: state.numbers }));
    for (const [act, can] of Object.entries(undone.can)) find(`[data-act=${act}]`).disabled = !can;
    remember();
  };
  const again = kept => {
    const { text: words, numbers } = JSON.parse(kept);
    state.numbers = numbers;
    losses = [];
    if (words !== state.text) write(words);
    update();
    settle();
  };
  const write = words => { // the text, where no hand writes it
    if (text.value !== words) text.value = words;
    state.text = words;
    Object.assign(state, { step: null });
    foretold = new Set();
    most = 60;
    close();
    mirror.textContent = `${words}\n`;
  };
  const restore = () => {
    const kept = readHash(location.hash), first = !state.text;
    if (!kept.text) return menu.options.length > 1 && choose(1);
    write(kept.text);
    Object.assign(state, kept);
    say(".point", "");
    furnish();
    update();
    settle();
  };
  const furnish = () => { // what a lesson and the mode leave
    for (const what of Object.keys(HIDDEN)) element.classList.toggle(`hide-${what}`, state.hide.has(what));
    element.classList.toggle("predicting", state.predict);
    find("[data-act=predict]").setAttribute("aria-pressed", String(state.predict));
    say(".task", state.task);
    text.readOnly = locked("text");
    find(".menu").hidden = locked("text");
  };

  // What a reader does

  let typing = 0;
  text.addEventListener("input", () => { // half a name is no circuit: wait for a pause
    clearTimeout(typing);
    mirror.textContent = `${text.value}\n`;
    typing = setTimeout(typed, 350);
  });
  const typed = () => {
    clearTimeout(typing);
    if (text.value === state.text) return;
    write(text.value);
    say(".point", "");
    menu.value = "";
    losses = [];
    update();
    settle();
    remember(true);
  };
  text.addEventListener("blur", typed);
  text.addEventListener("keydown", event => {
    if (event.key === "Enter" && event.ctrlKey) (typed(), root.focus());
  });
  const examples = [];
  const choose = i => {
    const { text: words, numbers, point, task, beside } = examples[i - 1];
    menu.value = String(i);
    write(words);
    state.numbers = { ...numbers };
    losses = [];
    say(".point", [point, task].filter(Boolean).join(" "));
    find(".beside").innerHTML = beside ?? "";
    find(".beside").hidden = !beside;
    update();
    settle();
  };
  menu.addEventListener("change", () => menu.value && (choose(+menu.value), remember(true)));
  const copyText = async (words, name) => {
    try {
      await navigator.clipboard.writeText(words);
      toast(`${name} copied`);
    } catch { // no leave, or no safe address: by hand
      const dialog = find("dialog.text"), area = dialog.querySelector("textarea");
      area.value = words;
      dialog.showModal();
      area.select();
    }
  };
  const copyAs = async kind => {
    const found = await also({ ask: "copy", as: kind === "png" ? "svg" : kind });
    find(".copy").open = false;
    if (!found) return;
    const [name, to] = COPIES[kind];
    if (to === "clipboard") return copyText(found.text, name);
    const blob = kind === "png" ? await pngOf(found.text) : new Blob([found.text], { type: found.kind });
    download(kind === "png" ? found.name.replace(/svg$/, "png") : found.name, blob);
    toast(`${name} saved`);
  };
  const address = kept => new URL(writeHash(kept), location.href).href;
  const acts = {
    undo: () => (typed(), settle(), again(undone.undo())), redo: () => again(undone.redo()),
    predict: () => predict(!state.predict), draw: () => { most = 200; update(); },
    link: () => copyText(address(current()), "Link"),
    lesson: () => {
      const { task, leaves: names, predict: first } = lesson.querySelector("form").elements;
      [task.value, first.checked] = [state.task, state.predict];
      for (const box of lesson.querySelectorAll("[name=hide],[name=lock]")) box.checked = state[box.name].has(box.value);
      names.value = [...state.lock].filter(x => !LOCKED[x]).join(", ");
      lesson.returnValue = "";
      lesson.showModal();
    },
  };
  lesson.addEventListener("close", () => {
    if (!lesson.returnValue) return;
    const form = lesson.querySelector("form"), data = new FormData(form);
    const names = data.get("leaves").split(/[\s,]+/).filter(Boolean);
    const kept = {
      ...current(), task: data.get("task").trim(), predict: data.has("predict"),
      hide: new Set(data.getAll("hide")), lock: new Set([...data.getAll("lock"), ...names]),
    };
    if (lesson.returnValue === "link") copyText(address(kept), "Lesson link");
    else location.hash = writeHash(kept);
  });
  element.addEventListener("click", event => {
    const b = event.target.closest("button");
    if (b && !root.contains(b)) acts[b.dataset.act]?.();
    if (b?.dataset.copy) copyAs(b.dataset.copy);
    const copy = find(".copy");
    if (!copy.contains(event.target)) copy.open = false;
  });
  (alone ? document : element).addEventListener("keydown", event => {
    if (event.key === "Escape" && find(".copy").open) (find(".copy").open = false, find(".copy summary").focus());
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" && event.key !== "y") return;
    if (event.target.closest?.("textarea, input[type=text]")) return; // it undoes what was typed
    event.preventDefault();
    acts[event.key === "y" || event.shiftKey ? "redo" : "undo"]();
  });
  ledger.addEventListener("toggle", () => ledger.open && update());
  listen(words => {
    say(".engine", words);
    leaves.disabled = descent.inert = !!words;
    if (answer) list();
  });
  if (alone) addEventListener("hashchange", restore);
  (async () => {
    if (fixed) return update();
    const found = await ask({ ask: "examples" }).catch(() => null);
    for (const example of found?.examples ?? []) {
      examples.push(example);
      menu.append(new Option(example.name, examples.length));
    }
    restore();
  })();
};

if (document.body.dataset.engine) {
  const main = document.querySelector("main"), server = document.body.dataset.engine === "server";
  let hear = () => {}, told = "";
  const worker = server ? null : withBaked(inWorker(words => hear(told = words)));
  mount(main, worker ?? overHttp, { alone: true, listen: f => { hear = f; if (!server) f(told); } });
}
