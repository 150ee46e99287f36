// The page's own script: where we are (kept in the address), light and dark, and what a click in our HTML means.
// No state is kept here that is not in the address, in localStorage (the theme) or in the document itself.
window.wb = (() => {
  const TABS = ["data", "train", "runs", "evaluate", "search"];

  const place = () => location.search.slice(1);
  // Gradio opens its first tab by itself before the one in the address can be asked for: that is not a choice of ours.
  let settled = false;

  function setPlace(query) {
    const next = new URLSearchParams(query);
    for (const [key, value] of new URLSearchParams(location.search)) if (key.startsWith("__")) next.set(key, value);
    const text = next.toString();
    if (text !== place()) history.replaceState(history.state, "", text ? "?" + text : location.pathname);
    markTab(next.get("tab") || TABS[0]);
  }

  function markTab(tab) {
    for (const button of document.querySelectorAll("#rail [data-tab]")) {
      if (button.dataset.tab === tab) {
        button.setAttribute("aria-current", "page");
        if (button.parentElement.parentElement.scrollWidth > innerWidth) button.scrollIntoView({ inline: "center", block: "nearest" });
      } else button.removeAttribute("aria-current");
    }
    document.title = tab[0].toUpperCase() + tab.slice(1) + " · Workbench";
  }

  // Called by Gradio when a tab opens, before its handler runs: the first input of every handler is the place.
  function opened(tab) {
    const query = new URLSearchParams(location.search);
    settled = settled || tab === (query.get("tab") || TABS[0]);
    if (!settled) return place();
    if ((query.get("tab") || TABS[0]) !== tab) {
      query.set("tab", tab);
      scrollTo(0, 0);
    }
    setPlace(query.toString());
    return place();
  }

  function open(tab) {
    const button = document.getElementById(`tab-${tab}-button`);
    if (button) button.click();
  }

  // Open one of Gradio's accordions that stands elsewhere on the page, and go there.
  function unfold(identifier) {
    const button = document.querySelector(`#${identifier} button.label-wrap`);
    if (!button) return;
    if (!button.classList.contains("open")) button.click();
    button.focus();
    button.scrollIntoView({ block: "center" });
  }

  // What a button or select in our HTML tells the server: its data-… and the named fields beside it.
  function details(target, root) {
    const found = {};
    for (const field of root.querySelectorAll("[name]")) {
      found[field.name] = field.type === "checkbox" ? field.checked : field.value;
    }
    return { ...found, ...target.dataset };
  }

  // What was unfolded stays so when the view is drawn again, until the place is another.
  function keepFolds(element) {
    const folds = new Map();
    const key = (fold) => place() + "\n" + fold.querySelector("summary")?.innerText;
    element.addEventListener("click", (event) => {
      const fold = event.target.closest("summary")?.parentElement;
      if (fold instanceof HTMLDetailsElement) folds.set(key(fold), !fold.open);
    });
    const restore = () => {
      for (const fold of element.querySelectorAll("details")) {
        const wanted = folds.get(key(fold));
        if (wanted !== undefined && fold.open !== wanted) fold.open = wanted;
      }
    };
    new MutationObserver(restore).observe(element, { childList: true, subtree: true });
  }

  function listen(element, trigger) {
    keepFolds(element);
    element.addEventListener("click", (event) => {
      const target = event.target.closest("[data-act], [data-open], [data-dismiss], [data-unfold]");
      if (!target || !element.contains(target) || target.disabled) return;
      if (target.dataset.unfold) unfold(target.dataset.unfold);
      else if (target.dataset.dismiss) target.closest(target.dataset.dismiss).hidden = true;
      else if (target.dataset.open) open(target.dataset.open);
      else if (target.tagName !== "SELECT") trigger("click", details(target, element));
    });
    element.addEventListener("change", (event) => {
      const target = event.target.closest("select[data-act]");
      if (target) trigger("click", details(target, element));
    });
  }

  // What the documents found must hold, as the choices above the results say: [field, value] or [field, low, high].
  function filters() {
    const chosen = new Map();
    for (const field of document.querySelectorAll("#search-filters [data-field]")) {
      const { field: name, end } = field.dataset;
      if (!end && field.value) chosen.set(name, [name, field.value]);
      if (!end) continue;
      const range = chosen.get(name) || [name, "", ""];
      range[end === "low" ? 1 : 2] = field.validity.badInput ? "?" : field.value;
      chosen.set(name, range);
    }
    return JSON.stringify([...chosen.values()].filter((entry) => entry.slice(1).some(Boolean)));
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("#search-filters input")) document.getElementById("search-go").click();
  });

  // Feedback: which search the results on the page are of, and which of their buttons are pressed.
  const asked = () => document.querySelector("#search-results [data-asked]")?.dataset.asked || "";

  // How many documents each choice leaves now, written into the choices as they stand: what has the focus keeps it.
  function count(choices) {
    for (const [identifier, ...said] of choices || []) {
      const options = document.getElementById(identifier)?.options || [];
      said.forEach((words, place) => { if (options[place + 1]) options[place + 1].text = words; });
    }
  }

  // Searching as one types, where the last search was so quick that it does not lag behind.
  const QUICK_MS = 300, PAUSE_MS = 250;
  let pause;
  document.addEventListener("input", (event) => {
    if (!event.target.matches("#search-text :is(input, textarea)")) return;
    clearTimeout(pause);
    const took = document.querySelector("#search-results [data-took]")?.dataset.took;
    if (took === undefined || Number(took) > QUICK_MS || event.target.value.trim().length < 2) return;
    pause = setTimeout(() => document.getElementById("search-live")?.click(), PAUSE_MS);
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Enter") clearTimeout(pause); }, true);
  document.addEventListener("click", (event) => { if (event.target.closest("#search-go")) clearTimeout(pause); }, true);

  // A file made of a text that was sent.
  function keep(value) {
    if (!value) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([value.text], { type: "text/csv" }));
    link.download = value.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  function marked(value) {
    if (!value) return;
    for (const button of document.querySelectorAll("[data-verdict][data-asked]")) {
      if (button.dataset.asked !== value.asked) continue;
      button.setAttribute("aria-pressed", String(value.verdicts[button.dataset.document] === button.dataset.verdict));
    }
  }

  function dark() {
    return document.body.classList.contains("dark");
  }

  function setTheme(name) {
    document.body.classList.toggle("dark", name === "dark");
    document.documentElement.style.colorScheme = name;
    dispatchEvent(new Event("wb-theme"));
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.setAttribute("aria-pressed", String(name === "dark"));
    }
  }

  // In a frame of another site the browser may refuse any storage: then the choice lasts as long as the page.
  let chosenTheme = "";

  function preferredTheme() {
    try { chosenTheme ||= localStorage.getItem("workbench-theme") || ""; } catch { /* refused */ }
    return chosenTheme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  }

  function toggleTheme() {
    chosenTheme = dark() ? "light" : "dark";
    try { localStorage.setItem("workbench-theme", chosenTheme); } catch { /* refused */ }
    setTheme(chosenTheme);
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(preferredTheme()));

  // One sound at a time.
  document.addEventListener("play", (event) => {
    for (const player of document.querySelectorAll("audio, video")) if (player !== event.target) player.pause();
  }, true);

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-play]");
    if (!button) return;
    const player = document.getElementById(button.dataset.play);
    if (player.paused) player.play(); else player.pause();
    if (player.tagName === "VIDEO") { player.controls = true; player.focus(); }
  });
  for (const kind of ["play", "pause", "ended"]) {
    document.addEventListener(kind, (event) => {
      const button = event.target.id && document.querySelector(`[data-play="${event.target.id}"]`);
      if (button) button.setAttribute("aria-pressed", String(kind === "play"));
      if (event.target.tagName === "VIDEO") event.target.controls = kind !== "ended";
    }, true);
  }

  // Plots: Python sends lines, the colours come from the tokens, the zoom stays (uirevision).
  function plot(node, value) {
    if (!value || !window.Plotly) return;
    const style = getComputedStyle(document.body);
    const token = (name) => style.getPropertyValue(name).trim();
    // Four colours, told apart by everybody; a fifth line begins them again in another dash.
    const colour = (tone) => token(tone === "floor" ? "--ink-3" : `--series-${tone > 4 ? (tone - 1) % 4 + 1 : tone}`);
    const dashes = { base: "dash", floor: "dot" };
    const dash = (tone) => dashes[tone] || ["solid", "dashdot", "longdash"][Math.floor((tone - 1) / 4) % 3];
    const many = value.lines.filter((line) => line.label).length > 4;
    const traces = value.lines.map((line) => ({
      name: escape(line.name.length > 24 ? `…${line.name.slice(-23)}` : line.name), x: line.x, y: line.y, type: "scatter",
      mode: (line.markers ? "lines+markers" : "lines") + (line.marks?.length ? "+text" : ""),
      text: line.marks, textfont: { size: 13, color: token("--ink-2") },
      textposition: line.x.map((_, place) => (place && place === line.x.length - 1 ? "bottom left" : "bottom right")),
      line: { color: colour(line.tone), width: line.tone === "floor" ? 1 : 2, dash: dash(line.tone) },
      marker: { size: 7 }, cliponaxis: false,
      error_y: line.intervals.length ? {
        type: "data", symmetric: false, thickness: 1.2, width: 0, color: colour(line.tone),
        array: line.y.map((y, i) => (line.intervals[i] ? line.intervals[i][1] - y : 0)),
        arrayminus: line.y.map((y, i) => (line.intervals[i] ? y - line.intervals[i][0] : 0)),
      } : undefined,
      hovertemplate: `%{y:.3f} at ${value.x_title} %{x}<extra>${escape(line.name)}</extra>`,
    }));
    // A label that would lie upon the one below it is lifted.
    const highest = Math.max(...value.lines.flatMap((line) => line.y)) || 1, lift = new Map();
    let free = -Infinity;
    for (const line of value.lines.filter((one) => one.label).sort((a, b) => a.y.at(-1) - b.y.at(-1))) {
      const at = (line.y.at(-1) / highest) * ((node.clientHeight || 240) - 74);
      lift.set(line, Math.max(0, free - at));
      free = at + lift.get(line) + 17;
    }
    // A line that ends in the left part of the plot has its label to the right of its end.
    const along = (x) => (value.log_x ? Math.log10(x) : x);
    const reach = value.lines.flatMap((line) => line.x.map(along)), from = value.log_x ? Math.min(...reach) : 0;
    const early = (line) => along(line.x.at(-1)) - from < 0.3 * (Math.max(...reach) - from);
    const labels = (many ? [] : value.lines.filter((line) => line.label)).map((line) => ({
      // A hair before the end: what lies upon the edge of the range, Plotly may take for outside and not draw.
      x: value.log_x ? Math.log10(line.x.at(-1)) - 1e-6 : line.x.at(-1) * (1 - 1e-6), y: line.y.at(-1), xanchor: early(line) ? "left" : "right", yanchor: "bottom", yshift: 6 + lift.get(line), xshift: line.intervals.length && !early(line) ? -10 : 0,
      text: escape(line.label), showarrow: false,
      font: { color: line.tone in dashes ? token("--ink-2") : colour(line.tone), size: 13 },
    }));
    const axis = {
      gridcolor: token("--line"), zeroline: false, tickfont: { color: token("--ink-2") }, automargin: true, fixedrange: false,
    };
    // Many names would lie upon each other at the ends of their lines: they stand below, and the plot grows by them.
    node.plain = node.plain || node.clientHeight || 240;
    const rows = many ? Math.ceil(value.lines.length / Math.max(1, Math.floor(node.clientWidth / 190))) : 0;
    node.style.height = rows ? `${node.plain + 22 * rows}px` : "";
    const layout = {
      uirevision: "keep", autosize: true, height: node.plain + 22 * rows, showlegend: many,
      legend: { orientation: "h", x: 0, y: 0, yref: "container", yanchor: "bottom", entrywidth: 170, font: { size: 13, color: token("--ink-2") } },
      margin: { l: 44, r: 16, t: 34, b: 40 + 22 * rows }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: token("--sans"), size: 13, color: token("--ink-2") },
      hoverlabel: { bgcolor: token("--card"), bordercolor: token("--line-strong"), font: { family: token("--sans"), color: token("--ink") } },
      xaxis: {
        ...axis, showgrid: false, title: { text: value.x_title, standoff: 10, font: { size: 13, color: token("--ink-2") } }, type: value.log_x ? "log" : "linear",
        ...(value.log_x ? { tickvals: value.ticks?.length ? value.ticks : [...new Set(value.lines.flatMap((line) => line.x))] } : { rangemode: "tozero" }),
      },
      yaxis: { ...axis, rangemode: value.from_zero ? "tozero" : "normal", nticks: 6 },
      annotations: [
        { text: escape(value.title), xref: "paper", yref: "paper", x: 0, y: 1, xanchor: "left", yanchor: "bottom", yshift: 10,
          xshift: -40, showarrow: false, font: { size: 13, color: token("--ink-2") } },
        ...labels,
      ],
    };
    node.setAttribute("aria-label", value.says);
    Plotly.react(node, traces, layout, { displaylogo: false, displayModeBar: false, responsive: true, doubleClick: "reset" });
  }

  // Plotly reads a little HTML in its texts; names are only names.
  function escape(text) {
    return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  }

  return { plot, escape, place, setPlace, markTab, opened, open, listen, details, filters, asked, marked, count, keep, setTheme, preferredTheme, toggleTheme, dark };
})();
