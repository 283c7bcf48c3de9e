/* The page as a widget of a notebook: it asks the kernel, and hides the film that stands for it. */

const SILENCE = 30_000; // milliseconds, after which a kernel is taken to be gone

export default {
  render({ model, el }) {
    const waiting = new Map(); // by the ids of questions: what takes the answer
    const films = `[data-play="${CSS.escape(model.get("film"))}"]`; // one of an older session, too
    let film = null; // the one above
    const hear = ({ id, answer }) => {
      if (!waiting.has(id)) return; // the question of another view
      waiting.get(id)(answer);
      waiting.delete(id);
      film ??= [...document.querySelectorAll(films)]
        .findLast(e => e.compareDocumentPosition(el) & Node.DOCUMENT_POSITION_FOLLOWING);
      if (film) film.hidden = true;
    };
    const ask = question => new Promise((resolve, reject) => {
      const id = crypto.getRandomValues(new Uint32Array(2)).join("-");
      waiting.set(id, resolve);
      model.send({ id, question });
      setTimeout(() => {
        if (waiting.delete(id)) reject(new Error("No kernel answers: run the cell again."));
      }, SILENCE);
    });
    model.on("msg:custom", hear);
    el.classList.add("microgrid-play");
    el.dataset.lmSuppressShortcuts = "true"; // a slider's arrow keys would move between cells
    mount(el, ask, { fixed: true });
    return () => {
      model.off("msg:custom", hear);
      if (film) film.hidden = false;
    };
  },
};
