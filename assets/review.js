// The review: which case is shown, what a key says of it, and what of it the server has not been told yet.
// A decision shows at once and is sent behind it, one lot at a time and in order; the server's answer is the truth.
window.wb.review = (() => {
  const AHEAD = 3; // when fewer cases than this are left on the page, the next ones are fetched
  const PATIENCE = 60000; // milliseconds without an answer, after which what was sent is sent again
  const SAID = {
    match: "Match", "not-a-match": "Not a match", skip: "Skipped", keep: "Kept", drop: "Dropped", label: "Labelled",
  };
  let root, trigger;
  let waiting = [], sent = [], sentAt = 0; // steps that the server does not know of, and those on their way
  // What is sent again bears the number it had, so that the server does nothing twice.
  const page = Math.random().toString(36).slice(2);
  let steps = 0;
  let past = []; // what was decided, for undo: keys of pairs
  let current = ""; // the key of the pair in hand
  let back = null; // the query and document that an undo brought back, until they are on the page

  const view = () => root?.querySelector(".review");
  const where = () => ({ mode: view().dataset.mode, collection: view().dataset.collection });
  const pairs = () => [...(view()?.querySelectorAll("[data-pair]") || [])];
  const open = (pair) => !pair.dataset.verdict;
  const key = (pair) => pair.dataset.query + " " + pair.dataset.document;
  const caseOf = (pair) => pair.closest(".case");
  const find = (wanted) => pairs().find((pair) => key(pair) === wanted);
  const selected = () => view()?.querySelector("[data-pair][aria-current]");

  function say(text) {
    const line = document.getElementById("review-said");
    if (line) line.textContent = text;
  }

  function select(pair, focus = true) {
    for (const other of pairs()) if (other !== pair) other.removeAttribute("aria-current");
    for (const one of view().querySelectorAll(".case")) one.hidden = !pair || one !== caseOf(pair);
    if (!pair) return;
    pair.setAttribute("aria-current", "true");
    current = key(pair);
    const next = caseOf(pair).nextElementSibling;
    for (const one of [caseOf(pair), next]) {
      for (const image of one?.querySelectorAll?.("img") || []) image.loading = "eager";
    }
    const field = pair.querySelector(".review-text");
    if (field && focus) field.focus({ preventScroll: true });
    if (pair.matches(".candidate")) pair.scrollIntoView({ block: "nearest" });
  }

  function add(step) {
    waiting.push({ ...where(), ...step, page, number: ++steps });
  }

  function mark(pair, verdict) {
    if (verdict) pair.dataset.verdict = verdict; else delete pair.dataset.verdict;
    const said = pair.querySelector(".said");
    if (said) said.textContent = verdict ? SAID[verdict] : "";
  }

  function count(by) {
    const line = view()?.querySelector(".review-count");
    if (!line) return;
    const done = Number(line.dataset.reviewed) + by;
    line.dataset.reviewed = done;
    line.textContent = `${done.toLocaleString("en")} of ${Number(line.dataset.total).toLocaleString("en")} looked at`;
    view().querySelector(".review-bar .bar i").style.width = `${(100 * done) / Math.max(1, Number(line.dataset.total))}%`;
  }

  function next(from) {
    const here = caseOf(from), all = pairs();
    const after = all.slice(all.indexOf(from) + 1);
    return after.find((pair) => open(pair) && caseOf(pair) === here) || all.find((pair) => open(pair) && caseOf(pair) === here)
      || after.find(open) || all.find(open);
  }

  function decide(verdict) {
    const pair = selected();
    if (!pair || verdict === "undo") return verdict === "undo" ? undo() : undefined;
    const field = pair.querySelector(".review-text");
    if (verdict === "label" && !field?.value.trim()) { field?.focus(); return; }
    const again = !open(pair);
    mark(pair, verdict);
    if (verdict !== "skip" && !again) count(1);
    past.push(key(pair));
    add({ verdict, query: pair.dataset.query, document: pair.dataset.document, text: field ? field.value.trim() : "" });
    const following = next(pair);
    say(SAID[verdict] + ". " + (following ? "" : "That was the last one here."));
    select(following);
    flush();
  }

  function undo() {
    const last = past.pop();
    const unsent = last && waiting.length && waiting.at(-1).verdict !== "undo" ? waiting.pop() : null;
    const pair = last && find(last);
    // What is not on the page any more only the server can name.
    if (!unsent) add({ verdict: "undo", blind: pair ? "" : "yes" });
    if (pair) {
      if (pair.dataset.verdict !== "skip") count(-1);
      mark(pair, "");
      select(pair);
      say("Taken back.");
    }
    flush(!pair);
  }

  function flush(draw = false) {
    if (sent.length && Date.now() - sentAt < PATIENCE) return;
    if (!sent.length && !waiting.length) return;
    [sent, waiting, sentAt] = [[...sent, ...waiting], [], Date.now()];
    const left = new Set(pairs().filter(open).map(caseOf)).size;
    const blind = sent.some((step) => step.blind);
    const wanted = view() && (draw || blind || left < (view().dataset.more ? AHEAD : 1));
    setTimeout(flush, PATIENCE + 100);
    trigger("click", { act: "steps", mode: view()?.dataset.mode || "", steps: JSON.stringify(sent), draw: wanted });
  }

  // The server has kept what was sent, up to a number.
  function answered(value) {
    if (!value || !sent.length) return;
    if (sent.some((step) => step.blind) && value.undone?.length) back = value.undone;
    sent = sent.filter((step) => step.number > value.done);
    if (sent.length) return;
    const line = view()?.querySelector(".review-count");
    if (line) {
      const unknown = waiting.filter((step) => !["skip", "undo"].includes(step.verdict)).length;
      [line.dataset.reviewed, line.dataset.total] = [value.reviewed, value.total];
      count(unknown);
    }
    const found = broughtBack();
    if (found) select(found);
    flush();
  }

  function broughtBack() {
    const found = back && pairs().find(({ dataset }) => dataset.document === back[1] && ["", back[0]].includes(dataset.query));
    if (found) back = null;
    return found && open(found) ? found : null;
  }

  // Other cases have been drawn: what is decided and not kept yet stays decided, and the one in hand stays in hand.
  function drawn() {
    if (!view()) { past = []; return; }
    for (const step of [...sent, ...waiting]) {
      const pair = step.verdict === "undo" ? null : find(step.query + " " + step.document);
      if (pair) mark(pair, step.verdict);
    }
    const held = pairs().find((pair) => key(pair) === current && open(pair));
    select(broughtBack() || held || pairs().find(open), !document.activeElement || document.activeElement === document.body || !!root.contains(document.activeElement));
  }

  function move(by) {
    const pair = selected();
    if (!pair) return;
    const mine = pairs().filter((other) => caseOf(other) === caseOf(pair));
    const to = mine[(mine.indexOf(pair) + by + mine.length) % mine.length];
    select(to);
    to.focus({ preventScroll: true });
  }

  const typing = (target) => target.closest("input, textarea, select, [contenteditable=true]");

  function pressed(event) {
    if (!root.offsetParent || document.querySelector("dialog[open]")) return;
    if (!view()) {
      const bare = !event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat && !typing(event.target);
      if (bare && event.key.toLowerCase() === "u") document.getElementById("review-undo")?.click();
      return;
    }
    const field = event.target.closest?.(".review-text");
    if (field ? !fieldKey(event, field) : !plainKey(event)) return;
    event.preventDefault();
  }

  function fieldKey(event, field) {
    const empty = !field.value.trim();
    if (event.key === "Enter" && !event.isComposing) decide("label");
    else if (event.key === "Escape" && empty) decide("skip");
    else if (event.key === "Escape") field.value = "";
    else if (event.key === "z" && (event.ctrlKey || event.metaKey) && empty) undo();
    else return false;
    return true;
  }

  function plainKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return false;
    const button = view().querySelector(`[data-verdict][data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    if (button) decide(button.dataset.verdict);
    else if (["ArrowRight", "ArrowDown"].includes(event.key)) move(1);
    else if (["ArrowLeft", "ArrowUp"].includes(event.key)) move(-1);
    else if (event.key.toLowerCase() === "p") selected()?.querySelector("[data-play]")?.click();
    else return false;
    return true;
  }

  function begin(element, send) {
    [root, trigger] = [element, send];
    element.addEventListener("click", (event) => {
      const button = event.target.closest(".review-bar [data-verdict]");
      if (button) { decide(button.dataset.verdict); return; }
      const pair = event.target.closest(".candidate");
      if (pair) select(pair);
    });
    element.addEventListener("focusin", (event) => {
      const pair = event.target.closest(".candidate");
      if (pair && pair !== selected()) select(pair, false);
    });
    document.addEventListener("keydown", pressed);
    drawn();
  }

  // A picture in full size, closed by any click or by Escape.
  document.addEventListener("click", (event) => {
    const small = event.target.closest("[data-zoom]");
    if (!small) return;
    const dialog = document.createElement("dialog");
    dialog.className = "zoomed";
    const image = document.createElement("img");
    image.src = small.dataset.zoom;
    image.alt = small.getAttribute("aria-label") || "";
    dialog.append(image);
    dialog.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => { dialog.remove(); small.focus(); });
    document.body.append(dialog);
    dialog.showModal();
  });

  return { begin, drawn, answered };
})();
