// The map of an evaluation: one panel a model on common axes, so that an item can be followed from one to the other.
// What a user brought is shown with textContent alone: Plotly reads a little HTML in its labels, so it draws none of it.
window.wb.scatter = (() => {
  const NARROW = 640; // below this many pixels the panels stand one above the other
  const SHAPES = {
    circle: "M6 1a5 5 0 1 0 0 10a5 5 0 1 0 0-10Z", diamond: "M6 0 12 6 6 12 0 6Z", square: "M1 1h10v10H1Z",
    "triangle-up": "M6 1 12 11H0Z", cross: "M4 0h4v4h4v4H8v4H4V8H0V4h4Z",
    x: "M3 0 6 3 9 0l3 3-3 3 3 3-3 3-3-3-3 3-3-3 3-3-3-3Z", "triangle-down": "M0 1h12L6 11Z",
  };
  const MANY = 2000; // points, from which they are drawn by WebGL where the browser has it: a fifth of the time
  const SYMBOLS = Object.keys(SHAPES);
  const SVG = "http://www.w3.org/2000/svg";

  function make(tag, parent, properties = {}) {
    const element = Object.assign(document.createElement(tag), properties);
    parent.append(element);
    return element;
  }

  // The selects above the map. They are made anew only when there is something else to choose.
  function offer(root, value, draw) {
    const box = root.querySelector(".map-fields");
    const many = value.panels.length > 2;
    const wanted = [
      ["colour", "Colour by", value.colours.map((one) => one.title), 0],
      ["layout", "Laid out by", value.layouts.map((one) => one.name), 0],
      ["left", "First panel", many ? value.panels : [], value.shown[0]],
      ["right", "Second panel", many ? value.panels : [], value.shown.at(-1)],
    ].filter(([, , options]) => options.length > 1);
    const told = JSON.stringify(wanted);
    if (box.told === told) return;
    box.told = told;
    const before = Object.fromEntries([...box.querySelectorAll("select")].map((one) => [one.dataset.key, one.selectedOptions[0].text]));
    box.replaceChildren();
    for (const [key, label, options, chosen] of wanted) {
      const field = make("label", box);
      make("span", field, { textContent: label });
      const select = make("select", field, { onchange: draw });
      select.dataset.key = key;
      options.forEach((text, number) => make("option", select, { textContent: text, value: number }));
      const kept = options.indexOf(before[key]);
      select.value = kept < 0 ? chosen : kept;
    }
  }

  const chosen = (root, key, otherwise) => Number(root.querySelector(`.map-fields [data-key=${key}]`)?.value ?? otherwise);

  function key(root, colouring, codes, style, draw) {
    const box = root.querySelector(".map-key");
    const focused = box.contains(document.activeElement) ? document.activeElement.dataset.label : null;
    box.replaceChildren();
    colouring.labels.forEach((label, group) => {
      if (!codes.some((one) => one.includes(group))) return;
      const name = colouring.title + "\n" + label;
      const button = make("button", box, { type: "button", onclick: () => {
        root.unseen[root.unseen.has(name) ? "delete" : "add"](name);
        draw();
      } });
      button.dataset.label = label;
      button.setAttribute("aria-pressed", String(!root.unseen.has(name)));
      const sign = button.appendChild(document.createElementNS(SVG, "svg"));
      sign.setAttribute("viewBox", "0 0 12 12");
      sign.setAttribute("aria-hidden", "true");
      const path = sign.appendChild(document.createElementNS(SVG, "path"));
      path.setAttribute("d", SHAPES[SYMBOLS[group % SYMBOLS.length]]);
      path.setAttribute("fill", style.colour(colouring.tones[group]));
      make("span", button, { textContent: label });
      if (label === focused) button.focus();
    });
  }

  function tokens() {
    const style = getComputedStyle(document.body);
    const token = (name) => style.getPropertyValue(name).trim();
    return { token, colour: (tone) => token(`--series-${tone}`) };
  }

  let canDraw;
  function webgl() {
    canDraw ??= Boolean(document.createElement("canvas").getContext("webgl"));
    return canDraw;
  }

  function traces(root, value, view, style) {
    const { places, panels, colouring, codes } = view;
    const size = value.points > 2000 ? 5 : value.points > 400 ? 6 : 8;
    const type = value.points * panels.length > MANY && webgl() ? "scattergl" : "scatter";
    return panels.flatMap((panel, number) => colouring.labels.map((_, group) => {
      const points = [];
      codes[number].forEach((code, point) => { if (code === group) points.push(point); });
      return {
        type, mode: "markers", hoverinfo: "none", customdata: points,
        x: points.map((point) => places[panel][0][point]), y: points.map((point) => places[panel][1][point]),
        xaxis: number ? "x2" : "x", yaxis: number ? "y2" : "y",
        visible: !root.unseen.has(colouring.title + "\n" + colouring.labels[group]),
        marker: { size, symbol: SYMBOLS[group % SYMBOLS.length], color: style.colour(colouring.tones[group]), opacity: 0.72 },
      };
    }));
  }

  // Both panels show the same stretch of the same axes, at one scale.
  function layout(value, view, style, width) {
    const { places, panels } = view;
    const two = panels.length > 1, rows = two && width < NARROW;
    const bounds = [0, 1].map((axis) => {
      const all = panels.flatMap((panel) => places[panel][axis]);
      const low = all.reduce((a, b) => Math.min(a, b), Infinity), high = all.reduce((a, b) => Math.max(a, b), -Infinity);
      const room = 0.04 * (high - low) || 1;
      return [low - room, high + room];
    });
    const side = Math.min(two && !rows ? width / 2 : width, 520);
    const height = rows ? 2 * side + 72 : Math.max(side, 280) + 40;
    const axis = {
      gridcolor: style.token("--line"), zeroline: false, showticklabels: false, ticks: "", nticks: 6, showline: true, mirror: true,
      linecolor: style.token("--line"),
    };
    const domains = two ? (rows ? [[0, 1], [0, 1]] : [[0, 0.49], [0.51, 1]]) : [[0, 1]];
    const upright = two && rows ? [[0.53, 1], [0, 0.47]] : [[0, 1], [0, 1]];
    const made = {
      height, autosize: true, showlegend: false, hovermode: "closest", hoverdistance: 14, dragmode: rows ? false : "zoom",
      uirevision: JSON.stringify([view.name, panels]), margin: { l: 2, r: 2, t: 30, b: 8 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: style.token("--sans"), size: 13, color: style.token("--ink-2") },
      annotations: panels.map((panel, number) => ({
        text: wb.escape(value.panels[panel]), xref: "paper", yref: "paper", x: domains[number][0], y: upright[number][1],
        xanchor: "left", yanchor: "bottom", yshift: 4, showarrow: false, font: { size: 13, color: style.token("--ink") },
      })),
      xaxis: { ...axis, domain: domains[0], range: bounds[0] },
      yaxis: { ...axis, domain: upright[0], range: bounds[1], scaleanchor: "x", scaleratio: 1 },
    };
    if (two) {
      made.xaxis2 = { ...axis, domain: domains[1], range: bounds[0], matches: "x", anchor: "y2" };
      made.yaxis2 = { ...axis, domain: upright[1], range: bounds[1], matches: "y", anchor: "x2" };
    }
    return made;
  }

  function say(root, value, view, point) {
    const { items } = value, peek = root.querySelector(".map-peek"), image = peek.querySelector("img");
    const thumb = items.thumbs[point];
    image.hidden = !thumb;
    image.onerror = () => { image.hidden = true; };
    if (thumb) image.src = thumb;
    const group = view.codes.map((codes) => view.colouring.labels[codes[point]]);
    const same = new Set(group).size === 1;
    const told = same ? [group[0]] : group.map((label, number) => `${value.panels[view.panels[number]]}: ${label}`);
    const kind = items.kinds[point], more = told.filter((label) => !kind.split(", ").includes(label));
    peek.querySelector(".label").textContent = [kind, ...more].filter(Boolean).join(" · ");
    peek.querySelector(".map-text").textContent = items.texts[point];
    ring(root, view, point);
  }

  // A ring around the item in every panel, laid over the plot: drawing it as a trace would draw all the others again.
  function ring(root, view, point) {
    const node = root.querySelector(".plot");
    root.querySelectorAll(".map-ring").forEach((one, number) => {
      const x = node._fullLayout?.[number ? "xaxis2" : "xaxis"], y = node._fullLayout?.[number ? "yaxis2" : "yaxis"];
      const panel = view.panels[number];
      if (point === null || !x || !y || panel === undefined) { one.hidden = true; return; }
      const at = [x.l2p(view.places[panel][0][point]), y.l2p(view.places[panel][1][point])];
      one.hidden = at[0] < 0 || at[1] < 0 || at[0] > x._length || at[1] > y._length;
      one.style.left = `${x._offset + at[0]}px`;
      one.style.top = `${y._offset + at[1]}px`;
    });
  }

  // given: {map: the map as JSON}; read once, however often it is drawn.
  function scatter(root, given, trigger) {
    const node = root.querySelector(".plot");
    if (!given?.map || !window.Plotly || !node.clientWidth) return;
    if (root.given !== given.map) { root.given = given.map; root.value = JSON.parse(given.map); }
    const value = root.value, draw = () => scatter(root, given, trigger);
    root.unseen ||= new Set();
    offer(root, value, draw);
    const style = tokens();
    const panels = value.panels.length > 2 ? [chosen(root, "left", 0), chosen(root, "right", 0)] : value.panels.map((_, number) => number);
    const colouring = value.colours[chosen(root, "colour", 0)], laid = value.layouts[chosen(root, "layout", 0)];
    const codes = panels.map((panel) => colouring.codes[colouring.codes.length > 1 ? panel : 0]);
    const view = { name: laid.name, places: laid.places, panels, colouring, codes };
    key(root, colouring, codes, style, draw);
    root.querySelector(".map-note").textContent = laid.note;
    node.setAttribute("aria-label", value.says);
    ring(root, view, null);
    Plotly.react(node, traces(root, value, view, style), layout(value, view, style, node.clientWidth), {
      displaylogo: false, displayModeBar: false, responsive: false, doubleClick: "reset",
    });
    root.view = view;
    if (root.listening) return;
    root.listening = true;
    node.on("plotly_hover", (event) => say(root, root.value, root.view, event.points[0].customdata));
    node.on("plotly_click", (event) => trigger("click", { act: "open", point: event.points[0].customdata }));
    node.on("plotly_relayout", () => ring(root, root.view, null));
  }

  return scatter;
})();
