/* One picture, gone through frame by frame: on the page of `steps`, in notebooks, in the playground.

     const film = player(root)   what is in root stays there; an element .final gives way
     film.load(data, svg)        data as from Steps.data() in Python; svg as text, or left out where
                                 only numbers changed
     film.show(k)                frame k; film.at tells which is shown
     film.show(k, next)          frame k with the marks of another: what is asked, and not told yet

   root hears "beforestep", with {from, to}, ahead of every step that a reader takes, and may prevent
   it, which ends the playing; and "step" once frame `detail` is there. In an element with the
   attribute data-alone its keys work without the focus. */
const player = root => {
  const READABLE = 0.7; // of the natural size: smaller is no fit, but a riddle
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
  let svg, parts, covers = [], wide = 1, tall = 1, zoom = null; // null: as wide as the view, if readable

  // The picture

  const byId = picture => new Map([...picture.querySelectorAll("[id]")].map(e => [e.id, e]));
  const paint = (picture, own, i, marks = i) => {
    const frame = data.frames[marks];
    for (const flow of ["back", "ahead"]) picture.classList.toggle(flow, frame.flow === flow);
    for (const [id, first, end] of data.spans) {
      const e = own.get(id);
      e.style.visibility = first <= i && i < end ? "visible" : "hidden";
      e.classList.toggle("new", first === i && i > 0 && i < last);
    }
    for (const e of picture.querySelectorAll(".lit, .flow")) e.classList.remove("lit", "flow");
    frame.marks.forEach((id, n) => own.get(id).classList.add(n ? "flow" : "lit"));
  };
  const fits = (w, h) =>
    Math.min(view.clientWidth / w, parseFloat(getComputedStyle(view).maxHeight) / h);
  const active = () => covers.find(c => c.gates.includes(data.frames[marked].marks[0]));
  const scale = () => {
    const block = active(), readable = fit => Math.min(1, Math.max(READABLE, fit));
    if (zoom) return zoom;
    if (block && folding()) return readable(fits(block.wide, block.tall));
    if (folding() && !data.frames[marked].marks.length) return fits(wide, tall); // all, if small
    return readable(fits(wide, tall));
  };
  const folding = () => covers.length && fits(wide, tall) < READABLE;
  const fold = () => {
    const block = active(), unit = 0.75 / scale(); // of a pixel, in those of the picture
    for (const c of covers) {
      const open = !folding() || c === block || c.opened;
      c.cover.classList.toggle("open", open);
      const size = Math.min(14 * unit, (1.6 * c.box[2]) / c.name.length, c.box[3] / 2);
      c.cover.style.fontSize = `${size}px`;
      c.labels.forEach((e, i) => e.setAttribute("y", c.box[1] + c.box[3] / 2 + size * (1.3 * i - 0.3)));
      for (const e of c.edges)
        if (open) e.removeAttribute("clip-path");
        else e.setAttribute("clip-path", `url(#${c.id}clip)`);
    }
  };
  const coverOf = home => {
    const drawn = (tag, attributes, text = "") => {
      const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, x] of Object.entries(attributes)) e.setAttribute(name, x);
      e.textContent = text;
      return e;
    };
    const frame = parts.get(home.id).querySelector("path").getAttribute("d");
    const at = [...frame.matchAll(/([-\d.]+),([-\d.]+)/g)].map(m => [+m[1], +m[2]]);
    const [xs, ys] = [at.map(p => p[0]), at.map(p => p[1])], [x, y] = [Math.min(...xs), Math.min(...ys)];
    const width = Math.max(...xs) - x, height = Math.max(...ys) - y;
    const name = `Open ${home.name}: ${home.gates.length} gates`;
    const cover = drawn("g", { class: "cover", role: "button", tabindex: 0, "aria-label": name });
    const labels = [home.name, `${home.gates.length} gates`].map(text => drawn("text", { x: x + width / 2 }, text));
    cover.append(drawn("rect", { x, y, width, height, rx: 8 }), ...labels);
    // A wire that passes a folded block goes over it; one that ends in it ends at its edge.
    const around = drawn("clipPath", { id: `${home.id}clip` });
    const hole = `M-1e5-1e5H1e5V1e5H-1e5ZM${x} ${y}h${width}v${height}h${-width}Z`;
    around.append(drawn("path", { d: hole, "clip-rule": "evenodd" }));
    const edges = [...svg.querySelectorAll("g.edge")].filter(e =>
      home.gates.includes(e.id.replace(/e\d+_(\d+)_\d+$/, "g$1")));
    svg.querySelector("g").append(around, cover);
    const block = {
      ...home, box: [x, y, width, height], cover, labels, edges, opened: false,
      wide: (width * 4) / 3 + 60, tall: (height * 4) / 3 + 40,
    };
    const turn = opened => {
      block.opened = opened;
      fold();
      if (opened) middle(parts.get(home.id));
    };
    cover.addEventListener("click", () => turn(true));
    cover.addEventListener("keydown", event => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      turn(true);
    });
    parts.get(home.id).addEventListener("click", () => turn(false));
    return block;
  };
  const resize = () => {
    svg.style.width = `${wide * scale()}px`;
    fold();
    const beyond = view.scrollWidth > view.clientWidth + 1 || view.scrollHeight > view.clientHeight + 1;
    view.classList.toggle("beyond", beyond);
    if (beyond) view.tabIndex = 0;
    else view.removeAttribute("tabindex");
    find("actual").setAttribute("aria-pressed", String(zoom === 1));
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
    const lit = parts.get(data.frames[marked].marks[0]), block = active();
    const whole = block && folding() && fits(block.wide, block.tall) >= scale();
    if (lit) middle(whole ? parts.get(block.id) : lit);
    else {
      const end = data.mode === "forward" ? k === last : k && k < last;
      view.scrollLeft = end ? view.scrollWidth : 0;
    }
  };

  // The frames

  const heading = i => `Step ${i + 1} of ${last + 1}: ${data.frames[i].phase}`;
  const words = i => [
    Object.assign(make("h2", ""), { textContent: heading(i) }),
    ...data.frames[i].lines.map(line => make("p", "", line)),
  ];
  const within = wanted => Math.max(0, Math.min(last, wanted));
  const tell = () => {
    root.dataset.step = slider.value = k;
    slider.setAttribute("aria-valuetext", heading(k));
    paint(svg, parts, k, marked);
    said.replaceChildren(...words(k));
  };
  const show = (wanted, next = wanted) => {
    [k, marked] = [within(wanted), within(next)];
    tell();
    resize();
    center();
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
    data.frames.forEach((_, i) => {
      const copy = svg.cloneNode(true), own = byId(copy);
      for (const e of copy.querySelectorAll(".cover, .hit")) e.remove();
      for (const e of copy.querySelectorAll("[clip-path]")) e.removeAttribute("clip-path");
      paint(copy, own, i);
      for (const e of own.values()) e.removeAttribute("id");
      copy.removeAttribute("id");
      copy.removeAttribute("style");
      const figure = make("figure", "", copy, make("figcaption", "words", ...words(i)));
      figure.tabIndex = 0; // it may be wider than the page
      all.append(figure);
    });
  };

  // What adds up at a wire

  const wireOf = target => {
    const g = target.closest?.("g[id]");
    const found = g && g.id.slice(data.prefix.length).match(/^([neg])(\d+)/);
    const leaf = found && (found[1] !== "g" || g.classList.contains("name"));
    return leaf ? data.wires.findIndex(w => w.id === `${data.prefix}n${found[2]}`) : -1;
  };
  const mark = (kind, ids) => {
    for (const e of svg.querySelectorAll(`.${kind}`)) e.classList.remove(kind);
    for (const id of ids) parts.get(id)?.classList.add(kind);
  };
  const open = i => {
    const wire = data.wires[i], inside = sum.contains(document.activeElement);
    if (wire && !inside) opener = document.activeElement;
    mark("picked", wire ? [wire.id] : []);
    mark("way", []);
    const anew = sum.hidden;
    sum.hidden = !wire;
    wires.value = wire ? i : "";
    if (!wire) return;
    const ways = wire.ways.map(way => {
      const b = make("button", "", way.text);
      b.type = "button";
      b.setAttribute("aria-pressed", "false");
      b.addEventListener("click", () => {
        for (const other of sum.querySelectorAll("li button"))
          other.setAttribute("aria-pressed", String(other === b));
        mark("way", way.marks.map(id => data.prefix + id));
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
    if (!svg || !view.clientWidth || view.clientWidth === before) return;
    before = view.clientWidth;
    resize();
    if (!zoom) center();
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

  const load = (next, text) => {
    const wired = next.wires === data?.wires; // nothing was said of them
    data = next;
    last = data.frames.length - 1;
    slider.max = last;
    root.setAttribute("aria-label", data.title);
    if (text !== undefined) {
      const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
      svg = document.importNode(parsed, true);
      svg.querySelector("style")?.remove(); // the page has its own
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", data.title + "; the step is told in words below");
      [wide, tall] = ["width", "height"].map(side => (parseFloat(svg.getAttribute(side)) * 4) / 3);
      root.style.setProperty("--wide", `${wide}px`);
      for (const path of svg.querySelectorAll(".edge > path:not(.turned)")) {
        const hit = path.cloneNode(); // a thin line is hard to click
        hit.setAttribute("class", "hit");
        path.after(hit);
      }
      view.replaceChildren(svg);
      parts = byId(svg);
      covers = data.homes.map(coverOf);
      for (const c of covers) svg.querySelector("g").append(...c.edges);
      if (covers.length) svg.setAttribute("role", "group"); // there is something to press in it
    }
    for (const [id, , , shown] of data.spans) {
      const e = parts.get(id);
      if (e.textContent !== shown) e.textContent = shown;
    }
    const picked = text === undefined && wires.value !== "" ? +wires.value : -1;
    if (!wired) {
      wires.replaceChildren(new Option("a wire …", ""), ...data.wires.map((w, i) => new Option(w.name, i)));
      open(picked);
    }
    all.replaceChildren();
    if (text === undefined) tell(); // nothing moves under the reader's hand
    else show(k);
    if (!all.hidden) fill();
  };
  return { load, show, get at() { return k; } };
};
