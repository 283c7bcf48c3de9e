/* One picture, gone through frame by frame: on the page of `steps`, in notebooks, in the playground.

     const film = player(root)      what is in root stays there; an element .final gives way
     film.load(data, svg, folded)   data, svg and folded as from Steps.data(), .svg() and .folded()
                                    in Python; without folded no block folds; svg is left out, too,
                                    where only numbers changed
     film.show(k)                   frame k; film.at tells which is shown, film.fits whether the
                                    whole picture is readable here
     film.show(k, next)             frame k with the marks of another: what is asked, not told yet

   root hears "beforestep", with {from, to}, ahead of every step that a reader takes, and may prevent
   it, which ends the playing; and "step" once frame `detail` is there. In an element with the
   attribute data-alone its keys work without the focus. */
const player = root => {
  const READABLE = 0.7; // of the natural size: smaller is no fit, but a riddle
  const WHOLE = 0, CLOSED = 1, OPEN = 2; // pictures: from OPEN on each has another block open
  const make = (tag, kind, ...children) => {
    const e = document.createElement(tag);
    e.className = kind;
    e.append(...children);
    return e;
  };
  const icon = d => `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${d}"/></svg>`;
  const PLAY = icon("M4 2l10 6-10 6z") + " Play", PAUSE = icon("M3 2h4v12H3zM9 2h4v12H9z") + " Pause";
  const button = (act, name, face) =>
    `<button type="button" data-act="${act}" aria-label="${name}" title="${name}">${face}</button>`;
  const toggle = (act, face) =>
    `<button type="button" data-act="${act}" aria-pressed="false">${face}</button>`;
  const view = make("div", "view"), bar = make("div", "bar"), said = make("div", "words");
  const sum = make("section", "sum"), all = make("div", "all");
  const now = make("div", "now", view, bar, said, sum);
  bar.innerHTML =
    button("first", "First step", icon("M2 2h2v12H2zM14 2v12L5 8z")) +
    button("previous", "Previous step", icon("M12 2v12L3 8z")) +
    button("play", "Play", PLAY) +
    button("next", "Next step", icon("M4 2l9 6-9 6z")) +
    button("last", "Last step", icon("M2 2l9 6-9 6zM12 2h2v12h-2z")) +
    `<label class="slide">Step<input type="range" min="0" step="1" value="0"></label>` +
    `<label>Speed<select><option value="0.5">0.5×</option><option value="1" selected>1×</option>` +
    `<option value="2">2×</option><option value="4">4×</option></select></label>` +
    button("smaller", "Zoom out", icon("M2 7h12v2H2z")) +
    button("larger", "Zoom in", icon("M7 2h2v5h5v2H9v5H7V9H2V7h5z")) +
    toggle("actual", "Actual size") + toggle("all", "All frames") +
    `<label>Sum at<select class="wires"></select></label>`;
  const find = act => bar.querySelector(`[data-act=${act}]`);
  const slider = bar.querySelector("input"), [speed, wires] = bar.querySelectorAll("select");
  let data, last = 0, k = 0, marked = 0, timer = 0; // which frame, and whose marks it has
  let opener = wires; // what had the focus when a sum was opened, and has it again
  let texts = [], pictures = [], picture = null; // SVG as it came, as elements, and the one shown
  let chosen = null; // which picture a reader has opened, until the next step
  let zoom = null; // null: as large as fits, if readable

  // The picture

  const byId = svg => new Map([...svg.querySelectorAll("[id]")].map(e => [e.id, e]));
  const paint = (svg, parts, i, marks = i) => {
    const frame = data.frames[marks];
    for (const flow of ["back", "ahead"]) svg.classList.toggle(flow, frame.flow === flow);
    for (const [id, first, end, shown] of data.spans) {
      const e = parts.get(id);
      if (!e) continue; // it is in a closed block
      if (e.textContent !== shown) e.textContent = shown;
      e.style.visibility = first <= i && i < end ? "visible" : "hidden";
      e.classList.toggle("new", first === i && i > 0 && i < last);
    }
    for (const e of svg.querySelectorAll(".lit, .flow")) e.classList.remove("lit", "flow");
    frame.marks.forEach((id, n) => parts.get(id)?.classList.add(n ? "flow" : "lit"));
  };
  const drawn = i => (pictures[i] ??= parsed(i));
  const parsed = i => {
    const read = new DOMParser().parseFromString(texts[i], "image/svg+xml").documentElement;
    const svg = document.importNode(read, true), parts = byId(svg);
    const [wide, tall] = ["width", "height"].map(side => (parseFloat(svg.getAttribute(side)) * 4) / 3);
    svg.querySelector("style")?.remove(); // the page has its own
    svg.setAttribute("role", i < CLOSED ? "img" : "group"); // in a group there is something to press
    svg.setAttribute("aria-label", data.title + "; the step is told in words below");
    for (const path of svg.querySelectorAll(".edge > path:not(.turned)")) {
      const hit = path.cloneNode(); // a thin line is hard to click
      hit.setAttribute("class", "hit");
      path.after(hit);
    }
    const homes = i < CLOSED ? [] : data.homes.map(({ id, name, gates }, n) => {
      const closed = n !== i - OPEN, home = parts.get(id);
      const does = closed ? `Open ${name}: ${gates.length} gates` : `Close ${name}`;
      pressable(home, does, closed ? OPEN + n : CLOSED);
      return home;
    });
    return { svg, parts, wide, tall, open: homes[i - OPEN] };
  };
  const pressable = (e, does, to) => {
    for (const [name, x] of [["role", "button"], ["tabindex", 0], ["aria-label", does]]) e.setAttribute(name, x);
    const press = () => {
      chosen = to;
      draw();
      (picture.open ?? picture.svg.querySelector("[role=button]")).focus({ preventScroll: true });
    };
    e.addEventListener("click", press);
    e.addEventListener("keydown", event => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      press();
    });
  };
  const fits = ({ wide, tall }) =>
    Math.min(now.clientWidth / wide, parseFloat(getComputedStyle(view).maxHeight) / tall);
  const homeOf = i => data.homes.findIndex(home => home.gates.includes(data.frames[i].marks[0]));
  const pictureOf = i => {
    if (texts.length === 1 || fits(drawn(WHOLE)) >= READABLE) return drawn(WHOLE);
    return drawn(homeOf(i) < 0 ? CLOSED : OPEN + homeOf(i));
  };
  const scale = () => zoom ?? Math.min(1, Math.max(READABLE, fits(picture)));
  const resize = () => {
    picture.svg.style.width = `${picture.wide * scale()}px`;
    const beyond = view.scrollWidth > view.clientWidth + 1 || view.scrollHeight > view.clientHeight + 1;
    view.classList.toggle("beyond", beyond);
    if (beyond) view.tabIndex = 0;
    else view.removeAttribute("tabindex");
    find("actual").setAttribute("aria-pressed", String(zoom === 1));
  };
  const repaint = () => paint(picture.svg, picture.parts, k, marked);
  const draw = () => {
    const next = chosen === null ? pictureOf(marked) : drawn(chosen);
    if (picture !== next) view.replaceChildren(next.svg);
    picture = next;
    view.classList.toggle("folds", picture !== drawn(WHOLE));
    repaint();
    mark();
    resize();
    center();
  };
  const zoomTo = (z, x = view.clientWidth / 2, y = view.clientHeight / 2) => {
    const [left, top, before] = [view.scrollLeft + x, view.scrollTop + y, scale()];
    zoom = z && Math.max(0.2, Math.min(5, z));
    resize();
    view.scrollTo((left * scale()) / before - x, (top * scale()) / before - y);
  };
  const middle = e => {
    const a = e.getBoundingClientRect(), b = view.getBoundingClientRect();
    view.scrollLeft += (a.left + a.right - b.left - b.right) / 2;
    view.scrollTop += (a.top + a.bottom - b.top - b.bottom) / 2;
  };
  const center = () => {
    const lit = picture.parts.get(data.frames[marked].marks[0]), block = picture.open?.getBoundingClientRect();
    const room = block && block.width <= view.clientWidth && block.height <= view.clientHeight;
    if (room || (picture.open && !lit)) middle(picture.open);
    else if (lit) middle(lit);
    else {
      const end = data.mode === "forward" ? k === last : k && k < last;
      view.scrollLeft = end ? view.scrollWidth : 0;
    }
  };

  // The frames

  const heading = i => {
    const home = data.homes[homeOf(i)];
    return `Step ${i + 1} of ${last + 1}: ${data.frames[i].phase}${home ? `, ${home.name}` : ""}`;
  };
  const words = i => [
    Object.assign(make("h2", ""), { textContent: heading(i) }),
    ...data.frames[i].lines.map(line => make("p", "", line)),
  ];
  const within = wanted => Math.max(0, Math.min(last, wanted));
  const tell = () => {
    root.dataset.step = slider.value = k;
    slider.setAttribute("aria-valuetext", heading(k));
    said.replaceChildren(...words(k));
  };
  const show = (wanted, next = wanted) => {
    if (marked !== within(next)) chosen = null;
    [k, marked] = [within(wanted), within(next)];
    draw();
    tell();
    root.dispatchEvent(new CustomEvent("step", { detail: k }));
  };
  const go = wanted => {
    const detail = { from: k, to: within(wanted) };
    if (root.dispatchEvent(new CustomEvent("beforestep", { cancelable: true, detail })))
      return show(wanted);
    play(false);
    slider.value = k;
  };
  const play = on => {
    clearInterval(timer);
    timer = on ? setInterval(() => {
      if (!root.isConnected || k === last) play(false);
      else go(k + 1);
    }, 2000 / speed.value) : 0;
    const b = find("play");
    b.innerHTML = on ? PAUSE : PLAY;
    b.title = on ? "Pause" : "Play";
    b.setAttribute("aria-label", b.title);
  };
  const fill = () => {
    if (all.firstChild) return;
    let widest = 0;
    data.frames.forEach((_, i) => {
      const { svg, wide } = pictureOf(i), copy = svg.cloneNode(true), parts = byId(copy);
      paint(copy, parts, i);
      for (const e of copy.querySelectorAll(".hit")) e.remove();
      for (const e of [copy, ...parts.values()])
        for (const name of ["id", "role", "tabindex", "aria-label"]) e.removeAttribute(name);
      copy.setAttribute("style", `--wide:${wide}px`);
      const figure = make("figure", "", copy, make("figcaption", "words", ...words(i)));
      figure.tabIndex = 0; // it may be wider than the page
      all.append(figure);
      widest = Math.max(widest, wide);
    });
    all.style.setProperty("--wide", `${widest}px`);
  };

  // What adds up at a wire

  const wireOf = target => {
    const g = target.closest?.("g[id]");
    const found = g && g.id.slice(data.prefix.length).match(/^([neg])(\d+)/);
    const leaf = found && (found[1] !== "g" || g.classList.contains("name"));
    return leaf ? data.wires.findIndex(w => w.id === `${data.prefix}n${found[2]}`) : -1;
  };
  let picked = [], way = []; // the wire whose sum is told, and the path that is shown
  const mark = () => {
    for (const [kind, ids] of [["picked", picked], ["way", way]]) {
      for (const e of picture.svg.querySelectorAll(`.${kind}`)) e.classList.remove(kind);
      for (const id of ids) picture.parts.get(id)?.classList.add(kind);
    }
  };
  const open = i => {
    const wire = data.wires[i], inside = sum.contains(document.activeElement);
    if (wire && !inside) opener = document.activeElement;
    [picked, way] = [wire ? [wire.id] : [], []];
    mark();
    const anew = sum.hidden;
    sum.hidden = !wire;
    wires.value = wire ? i : "";
    if (!wire) return;
    const ways = wire.ways.map(path => {
      const b = make("button", "", path.text);
      b.type = "button";
      b.setAttribute("aria-pressed", "false");
      b.addEventListener("click", () => {
        for (const other of sum.querySelectorAll("li button"))
          other.setAttribute("aria-pressed", String(other === b));
        way = path.marks.map(id => data.prefix + id);
        mark();
      });
      return make("li", "", b);
    });
    const close = make("button", "close", "×");
    close.type = "button";
    close.setAttribute("aria-label", "Close");
    close.addEventListener("click", shut);
    sum.replaceChildren(
      close, Object.assign(make("h2", ""), { textContent: wire.name }),
      ...wire.lines.map(line => make("p", "", line)),
      ...(wire.paths ? [make("p", "paths", wire.paths), make("ul", "", ...ways)] : []),
    );
    sum.setAttribute("aria-label", wire.name);
    if (anew) sum.scrollIntoView({ block: "nearest" });
  };
  const shut = () => {
    const inside = sum.contains(document.activeElement);
    open(-1);
    if (inside) opener.focus();
  };

  // What a reader does

  const acts = {
    first: () => go(0), previous: () => go(k - 1), next: () => go(k + 1), last: () => go(last),
    play: () => {
      if (!timer && k === last) show(0);
      play(!timer);
    },
    all: () => {
      fill();
      all.hidden = !all.hidden;
      view.hidden = said.hidden = !all.hidden;
      find("all").setAttribute("aria-pressed", String(!all.hidden));
      if (all.hidden) center();
      else for (const e of all.querySelectorAll(".lit")) {
        const box = e.closest("figure"), a = e.getBoundingClientRect(), b = box.getBoundingClientRect();
        box.scrollLeft += (a.left + a.right - b.left - b.right) / 2;
      }
    },
    smaller: () => zoomTo(scale() / 1.25), larger: () => zoomTo(scale() * 1.25),
    actual: () => (zoomTo(zoom === 1 ? null : 1), center()),
    close: shut,
  };
  const KEYS = {
    ArrowLeft: "previous", ArrowUp: "previous", PageUp: "previous", Home: "first", " ": "play",
    ArrowRight: "next", ArrowDown: "next", PageDown: "next", End: "last", Escape: "close",
    "+": "larger", "-": "smaller", 0: "actual",
  };
  const STILL = ["play", "smaller", "larger", "actual", "close"]; // these do not end the playing
  const act = name => {
    if (!STILL.includes(name)) play(false);
    acts[name]();
  };
  const keys = event => {
    const name = KEYS[event.key], at = event.target;
    if (!name || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.shiftKey && name !== "larger") return;
    if (name === "close" ? sum.hidden : at.closest?.("select, details, textarea, input:not([type=range])"))
      return;
    if (event.key === " " && at.closest?.("button")) return;
    if (at === view && zoom && event.key.startsWith("Arrow")) return; // they move the picture
    event.preventDefault();
    event.stopPropagation();
    act(name);
  };
  (root.closest("[data-alone]") ? document : root).addEventListener("keydown", keys);
  bar.addEventListener("click", event => {
    const name = event.target.closest("button")?.dataset.act;
    if (name) act(name);
  });
  slider.addEventListener("input", () => (play(false), go(+slider.value)));
  speed.addEventListener("change", () => timer && play(true));
  wires.addEventListener("change", () => open(wires.value === "" ? -1 : +wires.value));
  view.addEventListener("click", event => {
    const i = wireOf(event.target);
    if (i >= 0) open(i);
  });
  view.addEventListener("wheel", event => {
    if (!event.ctrlKey && !event.metaKey) return; // a pinch on a touchpad comes as ctrl, too
    event.preventDefault();
    const box = view.getBoundingClientRect();
    zoomTo(scale() * Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  let drag = null, touch = null, pinch = null;
  view.addEventListener("pointerdown", event => {
    if (event.pointerType === "mouse" && event.button === 0 && view.classList.contains("beyond"))
      drag = [event.clientX + view.scrollLeft, event.clientY + view.scrollTop];
  });
  view.addEventListener("pointermove", event => {
    if (!drag || !event.buttons) return void (drag = null);
    const [left, top] = [drag[0] - event.clientX, drag[1] - event.clientY];
    if (Math.hypot(left - view.scrollLeft, top - view.scrollTop) > 4) view.setPointerCapture(event.pointerId);
    if (view.hasPointerCapture(event.pointerId)) view.scrollTo(left, top);
  });
  const apart = ({ touches: [a, b] }) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  now.addEventListener("touchstart", event => {
    const inView = view.contains(event.target), [finger] = event.touches;
    const free = !event.target.closest("input, select, button") && !(inView && view.classList.contains("beyond"));
    touch = event.touches.length === 1 && free ? finger : null; // a picture that is larger moves instead
    pinch = event.touches.length === 2 && inView ? [apart(event), scale()] : null;
  }, { passive: true });
  now.addEventListener("touchmove", event => {
    if (!pinch || event.touches.length !== 2) return;
    event.preventDefault();
    const [a, b] = event.touches, box = view.getBoundingClientRect();
    const middle = [(a.clientX + b.clientX) / 2 - box.left, (a.clientY + b.clientY) / 2 - box.top];
    zoomTo((pinch[1] * apart(event)) / pinch[0], ...middle);
  }, { passive: false });
  now.addEventListener("touchend", event => {
    const [end] = event.changedTouches, x = touch ? end.clientX - touch.clientX : 0;
    if (Math.abs(x) > 40 && Math.abs(x) > 2 * Math.abs(end.clientY - touch.clientY))
      act(x < 0 ? "next" : "previous");
    touch = null;
  });
  addEventListener("beforeprint", () => data && fill());
  matchMedia("print").addEventListener("change", () => data && fill());
  let before = 0;
  new ResizeObserver(() => {
    if (!picture || !view.clientWidth || view.clientWidth === before) return;
    before = view.clientWidth;
    if (zoom) resize();
    else draw();
  }).observe(view);

  root.dataset.live = "";
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's arrow keys would move between cells
  root.tabIndex = 0;
  root.setAttribute("role", "region");
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", "Steps");
  view.setAttribute("role", "group");
  view.setAttribute("aria-label", "Picture");
  said.setAttribute("aria-live", "polite");
  said.setAttribute("aria-atomic", "true");
  sum.hidden = all.hidden = true;
  root.querySelector(".final")?.remove();
  root.querySelector("style")?.after(now, all) ?? root.prepend(now, all);

  const load = (next, svg, folded = []) => {
    const wired = next.wires === data?.wires; // nothing was said of them
    data = next;
    last = data.frames.length - 1;
    slider.max = last;
    root.setAttribute("aria-label", data.title);
    if (svg !== undefined) {
      [texts, pictures, picture, chosen] = [[svg, ...folded], [], null, null];
      picture = drawn(WHOLE);
      view.replaceChildren(picture.svg);
    }
    const before = svg === undefined && wires.value !== "" ? +wires.value : -1;
    if (!wired) {
      wires.replaceChildren(new Option("a wire …", ""), ...data.wires.map((w, i) => new Option(w.name, i)));
      open(before);
    }
    all.replaceChildren();
    if (svg === undefined) {
      repaint(); // nothing moves under the reader's hand
      tell();
    } else show(k, marked);
    if (!all.hidden) fill();
  };
  return {
    load, show,
    get at() { return k; },
    get fits() { return fits(drawn(WHOLE)) >= READABLE; }, // without folding
  };
};
