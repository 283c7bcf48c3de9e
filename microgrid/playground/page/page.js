/* The playground's page: a circuit is typed, a number dragged, and what Python answers is shown.

     mount(element, ask, options)   ask(question) gives a promise of the answer; options: `alone`, a
                                    page of its own, with an address; `fixed`, a circuit that has no
                                    text; `listen(hear)`, where an engine tells what it still loads

   The page computes no derivative and judges no guess: it asks. FRAME is frame.html. */

const GRIP = "cursor:ew-resize;touch-action:none;text-decoration:underline dotted 1.5px;text-underline-offset:3px";
const BAD = "stroke:var(--wrong);stroke-width:3";

const mount = (element, ask, { alone = false, fixed = false, listen = () => {} } = {}) => {
  element.insertAdjacentHTML("beforeend", FRAME);
  const find = selector => element.querySelector(selector);
  const text = find("textarea"), mirror = find(".mirror"), menu = find(".menu select");
  const root = find(".film"), rows = find(".rows"), leaves = find(".leaves"), ledger = find(".ledger");
  const descent = find(".descent"), lesson = find("dialog.lesson"), copies = find(".copy");
  const marks = find("style");
  const film = player(root), view = root.querySelector(".view"), told = root.querySelector(".words");
  const state = readHash(""); // what is in the address: text, numbers, step, mode, lesson
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

  // Questions: one circuit is under way; of those that wait only the newest is asked

  let answer = null, loaded = null, svg = ""; // the last one that was a circuit; its drawing, and the key
  let folds = false, folded = null; // whether pictures with closed blocks are wanted, null where they take
                                    // too long; the key of those there
  let waiting = null, busy = null, gone = false, most = FEW; // gates that are drawn without a word
  const question = () => ({
    ask: "circuit", text: state.text, numbers: { ...state.numbers }, digits: 2, most,
    ...(state.predict && { rows: true }), ...(ledger.open && { table: true }),
    ...(moving && loaded && { brief: true, frame: film.at }),
    ...(folds && (moving || folded !== loaded) && { folded: true }),
  });
  const update = () => {
    waiting = question();
    if (!busy) busy = turn().finally(() => (busy = null));
  };
  const turn = async () => {
    while (waiting) {
      const asked = waiting;
      waiting = null;
      const got = await ask({ ...asked, have: loaded }).catch(({ message }) => ({ gone: message }));
      if (!got.gone) receive(got, asked);
      else { // nobody answers: told once, and asked again
        if (!gone) complain(got.gone);
        await new Promise(resolve => setTimeout(resolve, 1000));
        waiting ??= question();
      }
      gone = !!got.gone;
    }
  };
  const also = async more => { // a question beside it: its answer, or null; a late one is of use as a copy alone
    const { text: words, numbers } = state;
    const found = await ask({ text: words, numbers: { ...numbers }, ...more }).catch(error => ({ error }));
    const late = state.text !== words || state.numbers !== numbers;
    if (found.error) toast(found.error.message);
    return found.error || (late && more.ask !== "copy") ? null : found;
  };
  const complain = (words, line = 0, column = 0) => {
    element.classList.toggle("stale", !!words);
    text.setAttribute("aria-invalid", String(!!words && line > 0));
    say(".wrong", words && line > 1 ? `Line ${line}: ${words}` : words);
    const letters = [...text.value], before = text.value.split("\n").slice(0, Math.max(0, line - 1));
    const at = before.reduce((n, x) => n + [...x].length + 1, column - 1), end = !/\S/.test(letters[at] ?? "");
    const mark = make("mark", { textContent: end ? " " : letters[at] }); // an end of line has no letter
    const pieces = [letters.slice(0, at).join(""), mark, letters.slice(at + !end).join("")];
    mirror.replaceChildren(...(words && line ? pieces : [text.value]), "\n");
  };
  const blank = words => { // without a drawing there is no step to take
    root.inert = words !== undefined;
    element.classList.toggle("undrawn", root.inert);
    say(".large span", words ?? "");
    find(".large").hidden = !words;
  };
  blank("");
  const receive = (got, asked) => {
    if (got.late && asked.folded) { // without them, then
      folds = null;
      return update();
    }
    if (got.error) {
      const { message, line, column } = got.error;
      if (asked.text === text.value) complain(message, line, column);
      return;
    }
    const { film: before } = answer ?? {}; // a brief answer is laid over what is there
    const brief = asked.brief && got.key === loaded;
    if (brief) got.film = { ...before, ...got.film, frames: Object.assign([...before.frames], got.film.frames) };
    answer = brief ? { ...answer, ...got } : got;
    complain("");
    list();
    if (!got.undrawn) draw(got);
    blank(got.undrawn);
    find("[data-act=draw]").hidden = most > FEW; // it was tried
    find(".result").hidden = false;
    find(".result i").textContent = find(".of").textContent = got.result.shown || "the result";
    follow();
    say(".trouble", got.trouble?.words ?? "");
    say(".notes", got.notes.join("\n"));
    if (got.table) ledger.querySelector(".scroll").innerHTML = got.table;
    remember();
  };
  const draw = got => {
    arriving = true;
    if (got.svg) [svg, loaded, folded] = [got.svg, got.key, null];
    if (got.folded && folded !== loaded) {
      film.load(got.film, svg, got.folded);
      folded = loaded;
    } else film.load(got.film, got.svg);
    const grips = got.leaves.filter(leaf => movable(leaf.name)).map(valueOf).filter(Boolean);
    marks.textContent = [...grips.map(id => `#${CSS.escape(id)}{${GRIP}}`), // rules: there are several pictures
      ...(got.trouble ? [`#${CSS.escape(got.trouble.node)}>:is(ellipse,path,polygon){${BAD}}`] : [])].join("");
    land();
    arriving = false;
    fold();
  };
  const fold = () => { // a picture that does not fit gets others, with closed blocks
    if (folds !== false || !loaded || answer.key !== loaded || !answer.film.homes.length || film.fits) return;
    folds = true;
    update();
  };
  new ResizeObserver(fold).observe(view);

  // Frames

  let arriving = false; // a new circuit: no reader takes a step
  const asks = i => state.predict && answer.rows?.[i]?.length && !foretold.has(i);
  const land = () => { // where the address says, else at the end of what may be seen
    const { frames } = answer.film, open = frames.findIndex((_, i) => asks(i));
    const k = Math.min(frames.length - 1, state.step ?? (open > 0 ? open - 1 : Infinity));
    if (asks(k + 1) && (guess || state.step === null)) inquire(k + 1);
    else if (film.at !== k) film.show(k);
  };
  root.addEventListener("beforestep", event => {
    const { from, to } = event.detail, open = answer.film.frames.findIndex((_, i) => i > from && asks(i));
    if (open < 0 || open > to) return close();
    event.preventDefault();
    inquire(open, true);
  });
  root.addEventListener("step", event => {
    if (arriving) return;
    state.step = event.detail === answer.film.frames.length - 1 ? null : event.detail;
    follow();
    remember();
  });
  const spansOf = ({ wire }) => answer.film.spans.filter(([id]) => wire && id.startsWith(`${wire}_`));
  const valueOf = leaf => spansOf(leaf)[0]?.[0]; // the id of its number
  const follow = () => { // the numbers beside the picture are those in it
    for (const { leaf, gradient, nudge } of rows.children) {
      const [, since, , shown] = spansOf(leaf).at(-1) ?? ["", 0, 0, digits(leaf.gradient)];
      const known = !state.predict || film.at >= since;
      gradient.textContent = known ? plain(shown) : "?";
      nudge.hidden = !known;
    }
    find("[data-result]").textContent = plain(spansOf(answer.result)[0]?.[3] ?? digits(answer.result.value));
  };

  // Leaves

  let moving = false, rest = 0; // while a number moves nothing is read out, nor asked that is not seen
  const set = (name, x) => {
    state.numbers = { ...state.numbers, [name]: x };
    forget();
    stir();
    update();
  };
  const stir = () => {
    clearTimeout(rest);
    moving = true;
    told.setAttribute("aria-live", "off");
    rest = setTimeout(() => {
      moving = false;
      update();
      rest = setTimeout(() => told.setAttribute("aria-live", "polite"), 1000);
    }, 300);
  };
  const locked = what => state.lock.has(what);
  const movable = name => !locked("numbers") && !locked(name) && !leaves.disabled;
  const rowOf = ({ name, shown }) => {
    const input = (type, ariaLabel) => make("input", { type, ariaLabel, step: "any" });
    const push = (className, textContent, ariaLabel, title) =>
      make("button", { type: "button", className, textContent, ariaLabel, title });
    const range = input("range", shown), field = input("number", `${shown}, its value`);
    const gradient = make("output", { ariaLabel: `gradient of ${shown}`, ariaLive: "off" });
    const nudge = push("nudge", "+0.01", `Nudge ${shown} by 0.01`, "What does this do to the result?");
    const hold = push("hold", "hold", `Hold ${shown} in the descent`, "");
    const said = make("p", { className: "said", role: "status" });
    range.dataset.leaf = field.dataset.leaf = gradient.dataset.gradient = name;
    range.addEventListener("input", () => set(name, +range.value));
    spelled(field);
    field.addEventListener("blur", () => spell(row)); // what is no number gives way to the one there is
    field.addEventListener("input", () => Number.isFinite(field.valueAsNumber) && set(name, +field.value));
    for (const e of [range, field]) e.addEventListener("change", () => (adjust(row, true), settle()));
    nudge.addEventListener("click", async () => {
      const found = await also({ ask: "nudge", leaf: name, by: 0.01 });
      if (found) said.textContent = found.sentence;
    });
    hold.addEventListener("click", () => {
      if (!state.hold.delete(name)) state.hold.add(name);
      hold.ariaPressed = String(state.hold.has(name));
      remember();
    });
    const className = shown.length > 10 ? "leaf long" : "leaf";
    const row = make("div", { className, range, field, gradient, nudge, hold, said },
      make("span", { className: "name", textContent: shown, title: shown }),
      range, field, gradient, nudge, hold, said);
    return row;
  };
  const numberOf = ({ name, value }) => (Object.hasOwn(state.numbers, name) ? state.numbers[name] : value);
  const spell = ({ field, leaf }) => {
    const x = numberOf(leaf);
    field.value = Number.isFinite(x) ? +x.toPrecision(6) : "";
  };
  const adjust = ({ range, leaf }, grow = false) => { // the slider's reach follows the number
    const x = numberOf(leaf), reach = reachOf(x);
    if (range.step === "any" || grow || Math.abs(x) > range.max || reach < range.max / 10)
      [range.min, range.max, range.step] = [-reach, reach, reach / 500];
    range.value = x;
  };
  const list = () => {
    const names = answer.leaves.map(leaf => leaf.name).join();
    if (rows.dataset.names !== names) rows.replaceChildren(...answer.leaves.map(rowOf));
    rows.dataset.names = names;
    answer.leaves.forEach((leaf, i) => {
      const row = rows.children[i], { range, field, hold, said } = row;
      if (row.leaf?.value !== leaf.value) said.textContent = "";
      row.leaf = leaf;
      if (!range.matches(":active")) adjust(row);
      if (document.activeElement !== field) spell(row);
      range.disabled = field.disabled = !movable(leaf.name);
      hold.ariaPressed = String(state.hold.has(leaf.name));
    });
  };

  // Numbers in the picture move under the hand, too

  let drag = null;
  const within = (kind, f) => root.addEventListener(kind, f, true); // ahead of the player
  const gripped = ({ target: { id } }) =>
    id && answer ? answer.leaves.findIndex(leaf => movable(leaf.name) && valueOf(leaf) === id) : -1;
  within("pointerdown", event => {
    const i = gripped(event);
    if (i < 0 || event.button) return;
    event.stopPropagation();
    const { name, value } = answer.leaves[i], by = rows.children[i].range.max / 250;
    drag = { name, from: value, by, x: event.clientX, far: 0 };
  });
  within("pointermove", event => {
    if (!drag) return;
    event.stopPropagation();
    const far = Math.round(event.clientX - drag.x);
    if (far === drag.far || (!drag.far && Math.abs(far) < 3)) return;
    if (!drag.far) view.setPointerCapture(event.pointerId);
    drag.far = far;
    set(drag.name, tidy(drag.from + far * drag.by * (event.shiftKey ? 0.1 : 1), drag.by / 10));
  });
  for (const end of ["pointerup", "pointercancel"]) within(end, () => {
    if (drag?.far) settle();
    setTimeout(() => (drag = null)); // after the click
  });
  within("touchstart", event => gripped(event) >= 0 && event.stopPropagation()); // no swipe
  within("click", event => { // the sum at a wire: not after a drag, and it would tell what is asked
    const asked = state.predict && view.contains(event.target) && !event.target.closest("[role=button]");
    if (drag?.far || asked) event.stopPropagation();
  });

  // Predict: a step back is shown once what it brings was given

  let guess = null, foretold = new Set(), score = [0, 0]; // right at the first try, of how many
  const form = make("form", { className: "guess", hidden: true, noValidate: true, ariaLabel: "Predict" });
  root.querySelector(".bar").after(form);
  const inquire = (to, focus = eager) => {
    const rows = answer.rows[to], asked = JSON.stringify(rows);
    if (guess?.to !== to || film.at !== to - 1) film.show(to - 1, to); // its marks, without its numbers
    if (guess?.to !== to || guess.asked !== asked) {
      const hints = rows.map((_, i) => make("span", { className: "hint", id: `${answer.film.prefix}hint${i}` }));
      const fields = hints.map(() => make("input", { type: "text", autocomplete: "off" }));
      fields.forEach((field, i) => field.setAttribute("aria-describedby", hints[i].id));
      guess = { to, asked, fields, hints, tried: rows.map(() => false) };
      const upstream = make("b", { className: "red", textContent: digits(rows[0].upstream) });
      form.replaceChildren(
        make("p", {}, "Predict: ", make("b", {}, rows[0].gate), " has the gradient ", upstream,
          ` and sends a share to ${rows.length > 1 ? "each" : "its"} input.`),
        ...rows.map((row, i) => make("div", { className: "line" }, make("label", {}, row.question, fields[i]), hints[i])),
        make("div", { className: "line" }, make("button", { className: "main" }, "Check"),
          make("button", { type: "button", onclick: () => reveal("Shown") }, "Show me")));
      form.hidden = false;
    }
    if (focus) guess.fields.find(field => !field.readOnly)?.focus();
    eager = false;
  };
  let eager = false; // the reader has just asked to be asked
  const close = () => {
    guess = null;
    form.hidden = true;
  };
  const reveal = words => {
    const { to, tried } = guess, { frames } = answer.film;
    score[1] += tried.filter(x => !x).length;
    foretold.add(to);
    guess = null;
    const open = frames.findIndex((_, i) => asks(i)), [right, all] = score;
    film.show(open < 0 ? frames.length - 1 : to);
    const next = make("button", { type: "button", className: "main", onclick: () => inquire(open, true) }, "Next gate");
    const end = `${words}. That was the last gate: ${right} of ${all} right at the first try.`;
    form.replaceChildren(make("p", {}, open < 0 ? end : `${words}.`), ...(open < 0 ? [] : [next]));
    (open < 0 ? root : next).focus();
  };
  form.addEventListener("submit", async event => {
    event.preventDefault();
    const now = guess, { to, fields, hints, tried } = now;
    const given = i => fields[i].value.trim();
    const found = await Promise.all(fields.map((field, i) => field.readOnly ? { right: true }
      : given(i) ? also({ ask: "guess", frame: to, to: i, guess: given(i) }) : { hint: "a number, please" }));
    if (guess !== now || found.includes(null)) return;
    found.forEach(({ right = false, hint }, i) => {
      if (!tried[i] && given(i)) {
        tried[i] = true;
        score[0] += right;
        score[1]++;
      }
      fields[i].readOnly = right;
      fields[i].setAttribute("aria-invalid", String(!right));
      hints[i].classList.toggle("right", right);
      hints[i].textContent = right ? "✓ right" : hint;
    });
    if (found.every(x => x.right)) reveal("Right");
    else fields.find(field => !field.readOnly).focus();
  });

  // Descent

  let losses = [], descending = Promise.resolve(); // one after the other: each begins where the last one ended
  const rate = find(".rate");
  spelled(rate);
  const forget = () => { // another circuit, or other numbers
    losses = [];
    descent.querySelector(".said").textContent = "";
    find(".plot").replaceChildren();
  };
  const descend = async steps => {
    if (!rate.reportValidity()) return;
    const found = await also({ ask: "descend", rate: +rate.value, steps, fixed: [...state.hold] });
    if (!found) return;
    losses = [...losses, ...found.losses.slice(losses.length ? 1 : 0)];
    state.numbers = { ...state.numbers, ...found.numbers };
    const fell = `${digits(losses[0])} → ${digits(losses.at(-1))} in ${stepsOf(losses)}`;
    descent.querySelector(".said").textContent = found.said ? `${fell}; ${found.said}` : fell;
    find(".plot").replaceChildren(plotOf(losses));
    stir();
    update();
    settle();
  };
  for (const b of descent.querySelectorAll("[data-steps]"))
    b.addEventListener("click", () => (descending = descending.then(() => descend(+b.dataset.steps))));
  descent.addEventListener("toggle", () => element.classList.toggle("descending", descent.open));

  // What is kept: the address, and what can be undone

  const undone = chronicle();
  let later = 0;
  const current = () => {
    const seen = answer && !waiting ? answer.leaves : [];
    const kept = Object.fromEntries(seen.map(leaf => [leaf.name, numberOf(leaf)]));
    return { ...state, numbers: seen.length ? kept : state.numbers };
  };
  const remember = (apart = false) => { // apart: the browser's way back leads to what was before
    if (!alone) return;
    clearTimeout(later);
    if (apart) history.pushState(null, "", writeHash(current()));
    else later = setTimeout(() => history.replaceState(null, "", writeHash(current())), 200);
  };
  const settle = () => {
    undone.keep(JSON.stringify({ text: state.text, numbers: state.numbers }));
    for (const [name, can] of Object.entries(undone.can)) find(`[data-act=${name}]`).disabled = !can;
    remember();
  };
  const again = kept => {
    const { text: words, numbers } = JSON.parse(kept);
    if (words !== state.text) write(words);
    state.numbers = numbers;
    for (const row of rows.children) spell(row); // that with the focus, too
    forget();
    point();
    update();
    settle();
  };
  const write = words => { // another text: nothing that was said of the last one holds
    if (text.value !== words) text.value = words;
    Object.assign(state, { text: words, step: null });
    [foretold, score] = [new Set(), [0, 0]];
    [most, folds] = [FEW, false];
    forget();
    close();
    mirror.textContent = `${words}\n`;
  };
  const restore = () => {
    const kept = readHash(location.hash);
    if (!kept.text) return void (examples.length && choose(0));
    write(kept.text);
    Object.assign(state, kept);
    furnish();
    point();
    update();
    settle();
  };
  const furnish = () => { // what the mode and a lesson leave
    for (const { value } of lesson.querySelectorAll("[name=hide]"))
      element.classList.toggle(`hide-${value}`, state.hide.has(value));
    element.classList.toggle("predicting", state.predict);
    find("[data-act=predict]").ariaPressed = String(state.predict);
    say(".task", state.task);
    text.readOnly = locked("text");
    find(".menu").hidden = locked("text");
  };

  // What a reader does

  let typing = 0;
  const linesOf = words => words.split(/[\n;]/);
  const nameOf = line => line.split("=")[0].normalize("NFKC").replace(/[\s_{}]/g, ""); // x₁, x_1
  text.addEventListener("input", () => { // half a name is no circuit: wait for a pause
    clearTimeout(typing);
    mirror.textContent = `${text.value}\n`;
    typing = setTimeout(typed, 350);
  });
  const typed = () => {
    clearTimeout(typing);
    if (text.value === state.text) return;
    const before = new Set(linesOf(state.text));
    const changed = new Set(linesOf(text.value).filter(line => !before.has(line)).map(nameOf));
    const kept = Object.entries(state.numbers).filter(([name]) => !changed.has(nameOf(name)));
    state.numbers = Object.fromEntries(kept); // x = 5 gives x another number than its slider has
    write(text.value);
    point();
    update();
    settle();
    remember(true);
  };
  text.addEventListener("blur", typed);
  text.addEventListener("scroll", () => (mirror.scrollTop = text.scrollTop));
  text.addEventListener("keydown", event => {
    if (event.key === "Enter" && event.ctrlKey) (typed(), root.focus());
  });
  const examples = [];
  const point = () => { // what an example shows, and what stands beside it; a lesson has its own task
    const i = examples.findIndex(x => x.text === state.text);
    const { point: words = "", task, beside = "" } = (!state.task && examples[i]) || {};
    menu.value = i < 0 ? "" : String(i);
    say(".point", words);
    say(".try", task ?? "");
    find(".beside").innerHTML = beside;
    find(".beside").hidden = !beside;
  };
  const choose = i => {
    write(examples[i].text);
    state.numbers = { ...examples[i].numbers };
    state.hold = new Set(examples[i].hold);
    descent.open = state.hold.size > 0;
    point();
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
  const copyAs = async ({ dataset: { copy: kind, file }, textContent: name }) => {
    const png = kind === "png", found = await also({ ask: "copy", as: png ? "svg" : kind });
    copies.open = false;
    if (!found) return;
    if (file === undefined) return copyText(found.text, name);
    const blob = png ? await pngOf(found.text) : new Blob([found.text], { type: found.kind });
    if (!blob) return toast("This picture is too large for a PNG: take the SVG.");
    download(png ? found.name.replace(/svg$/, "png") : found.name, blob);
    toast(`${name} saved`);
  };
  const address = kept => new URL(writeHash(kept), location.href).href;
  const { task, leaves: names, predict: first } = lesson.querySelector("form").elements;
  const acts = {
    undo: () => (typed(), settle(), again(undone.undo())), redo: () => again(undone.redo()),
    draw: () => ((most = 200), update()), link: () => copyText(address(current()), "Link"),
    predict: () => {
      Object.assign(state, { predict: !state.predict, step: null });
      [foretold, score, eager] = [new Set(), [0, 0], state.predict];
      close();
      furnish();
      update();
      remember(true);
    },
    lesson: () => {
      for (const box of lesson.querySelectorAll("[name=hide],[name=lock]")) box.checked = state[box.name].has(box.value);
      [task.value, first.checked] = [state.task, state.predict];
      names.value = [...state.lock].filter(name => !["text", "numbers"].includes(name)).join(", ");
      lesson.returnValue = "";
      lesson.showModal();
    },
  };
  lesson.addEventListener("close", () => {
    const data = new FormData(lesson.querySelector("form")), others = names.value.split(/[\s,]+/).filter(Boolean);
    const kept = {
      ...current(), task: task.value.trim(), predict: first.checked,
      hide: new Set(data.getAll("hide")), lock: new Set([...data.getAll("lock"), ...others]),
    };
    if (lesson.returnValue === "link") copyText(address(kept), "Lesson link");
    if (lesson.returnValue === "open") location.hash = writeHash(kept);
  });
  element.addEventListener("click", event => {
    const b = event.target.closest("button");
    if (b && !root.contains(b)) acts[b.dataset.act]?.();
    if (b?.dataset.copy) copyAs(b);
    if (!copies.contains(event.target)) copies.open = false;
  });
  (alone ? document : element).addEventListener("keydown", event => {
    if (event.key === "Escape" && copies.open) ((copies.open = false), copies.querySelector("summary").focus());
    const key = event.ctrlKey || event.metaKey ? event.key.toLowerCase() : "";
    if (key !== "z" && key !== "y") return;
    if (event.target.closest?.("textarea, input[type=text]")) return; // it undoes what was typed
    event.preventDefault();
    acts[key === "y" || event.shiftKey ? "redo" : "undo"]();
  });
  ledger.addEventListener("toggle", () => ledger.open && update());
  listen(words => {
    say(".engine", words);
    leaves.disabled = descent.inert = !!words;
    if (answer) list();
  });
  if (fixed) {
    element.classList.add("fixed");
    settle(); // there is no text to restore
    return update();
  }
  if (alone) {
    [text.id, view.id] = ["source", "picture"];
    addEventListener("hashchange", restore);
  }
  ask({ ask: "examples" }).catch(() => ({ examples: [] })).then(found => {
    examples.push(...(found.examples ?? []));
    menu.append(...examples.map(({ name }, i) => new Option(name, i)));
    restore();
  });
};

if (document.body.dataset.engine) {
  const server = document.body.dataset.engine === "server";
  let hear = () => {}, loading = ""; // what the engine says before the page listens
  const ask = server ? overHttp : withBaked(inWorker(words => hear((loading = words))));
  const listen = f => { hear = f; f(loading); };
  mount(document.querySelector("main"), ask, { alone: true, listen });
}
