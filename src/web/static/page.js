"use strict";
// Keys, and graphs that answer to the mouse and the arrow keys. The page is whole without it: every range is also a link, and
// every value stands in the table below its graph.
(() => {
  const keys = { "[": "earlier", "]": "later", "+": "zoom in", "-": "zoom out" };
  const range = (word) => document.querySelector(`#ranges a[data-range="${word}"]`);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    if (event.key === "/") {
      const search = document.querySelector("input[type=search]");
      if (search) { event.preventDefault(); search.focus(); }
    } else if (keys[event.key]) {
      const link = range(keys[event.key]);
      if (link) location.assign(link.href);
    }
  });

  // The browser's zone is proposed, and never chosen by itself.
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const field = document.getElementById("zone");
  if (field && own && !("zoneChosen" in document.body.dataset) && own !== document.body.dataset.zone) {
    const link = document.createElement("a");
    const url = new URL(location.href);
    url.searchParams.set("tz", own);
    link.href = url.href;
    link.textContent = `Show times in ${own}`;
    field.form.append(" ", link);
  }

  const minute = 60000;
  const go = (from, to) => {
    const url = new URL(location.href);
    const text = (ms) => new Date(Math.round(ms / minute) * minute).toISOString().replace(".000Z", "Z");
    url.searchParams.set("from", text(from));
    url.searchParams.set("to", text(to));
    location.assign(url.href);
  };

  // A picture is replaced when rows come: what is drawn over it is found anew each time.
  for (const graph of document.querySelectorAll(".graph")) {
    const section = graph.closest("section");
    const moves = document.getElementById("ranges") !== null;
    const span = () => [Number(graph.dataset.from), Number(graph.dataset.to)];
    const picture = () => Array.from(graph.querySelectorAll("svg")).find((svg) => svg.getBoundingClientRect().width > 0);
    // Panels in pixels of the graph's box.
    const panels = () => {
      const svg = picture();
      if (!svg || !svg.dataset.panels) return [];
      const box = svg.getBoundingClientRect();
      const at = graph.getBoundingClientRect();
      const scale = box.width / svg.viewBox.baseVal.width;
      return svg.dataset.panels.split(",").map((panel) => {
        const [x, y, w, h] = panel.split(" ").map((number) => Number(number) * scale);
        return { x: x + box.left - at.left + graph.scrollLeft, y: y + box.top - at.top, w, h };
      });
    };
    const over = (panel, from, to, kind) => {
      const mark = document.createElement("div");
      mark.className = kind;
      const [first, last] = [Math.min(from, to), Math.max(from, to)];
      mark.style.left = `${panel.x + first * panel.w}px`;
      mark.style.width = `${Math.max(1, (last - first) * panel.w)}px`;
      mark.style.top = `${panel.y}px`;
      mark.style.height = `${panel.h}px`;
      graph.append(mark);
    };
    const clear = (kind) => graph.querySelectorAll("." + kind).forEach((mark) => mark.remove());

    // The cursor: values of a bucket, from the table.
    const said = document.createElement("p");
    said.className = "values dim";
    said.setAttribute("role", "status");
    const hint = moves ? "Arrow keys show values. Drag to zoom, drag with Shift to move." : "Arrow keys show values.";
    const rows = () => Array.from(section.querySelectorAll("details tbody tr"));
    const names = () => Array.from(section.querySelectorAll("details thead th"), (cell) => cell.textContent);
    let chosen = null;
    if (rows().length > 0) { said.textContent = hint; graph.after(said); }
    const show = () => {
      clear("cursor");
      const all = rows();
      if (chosen === null || all.length === 0) { said.textContent = hint; return; }
      chosen = Math.min(Math.max(chosen, 0), all.length - 1);
      const [from, to] = span();
      const step = Number(graph.dataset.step);
      // The newest bucket stands first, and a table may begin later than its graph.
      const begin = to - (chosen + 1) * step;
      for (const panel of panels()) over(panel, (begin - from) / (to - from), (begin + step - from) / (to - from), "cursor");
      const cells = Array.from(all[chosen].cells, (cell) => cell.textContent);
      const head = names();
      const values = cells.slice(1).map((cell, at) => (cells.length > 2 ? `${head[at + 1]} ${cell}` : cell));
      said.textContent = `${cells[0]}: ${values.join(", ")}`;
    };
    const bucket = (share) => {
      const [from, to] = span();
      return Math.ceil((1 - share) * (to - from) / Number(graph.dataset.step)) - 1;
    };
    graph.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || rows().length === 0) return;
      const steps = { ArrowLeft: 1, ArrowRight: -1, PageUp: 12, PageDown: -12 };
      if (event.key === "Escape") chosen = null;
      else if (event.key === "Home") chosen = rows().length - 1;
      else if (event.key === "End") chosen = 0;
      else if (event.key in steps) chosen = chosen === null ? 0 : chosen + steps[event.key];
      else return;
      event.preventDefault();
      show();
    });

    // The mouse: a stretch is chosen, or with Shift the picture is moved.
    let drag = null;
    const place = (event) => {
      const at = graph.getBoundingClientRect();
      const [x, y] = [event.clientX - at.left + graph.scrollLeft, event.clientY - at.top];
      const panel = (drag && drag.panel) || panels().find((one) => x >= one.x && x <= one.x + one.w && y >= one.y && y <= one.y + one.h);
      return panel && { panel, share: Math.min(Math.max((x - panel.x) / panel.w, 0), 1) };
    };
    graph.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch" || !moves) return;
      const found = place(event);
      if (!found) return;
      event.preventDefault();
      graph.focus({ preventScroll: true });
      drag = { panel: found.panel, from: found.share, to: found.share, shifts: event.shiftKey };
      graph.setPointerCapture(event.pointerId);
    });
    graph.addEventListener("pointermove", (event) => {
      const found = place(event);
      if (!found) return;
      if (!drag) {
        if (event.pointerType !== "touch" && rows().length > 0) { chosen = bucket(found.share); show(); }
        return;
      }
      drag.to = found.share;
      clear("stretch");
      for (const panel of panels()) over(panel, drag.from, drag.to, drag.shifts ? "stretch shift" : "stretch");
    });
    const end = (event) => {
      const done = drag;
      drag = null;
      clear("stretch");
      if (!done || event.type === "pointercancel") return;
      const [from, to] = span();
      const [a, b] = [Math.min(done.from, done.to), Math.max(done.from, done.to)];
      const length = to - from;
      if ((b - a) * done.panel.w < 5) return;
      if (done.shifts) go(from + (done.from - done.to) * length, to + (done.from - done.to) * length);
      else if ((b - a) * length >= 2 * minute) go(from + a * length, from + b * length);
    };
    graph.addEventListener("pointerup", end);
    graph.addEventListener("pointercancel", end);
    graph.addEventListener("pointerleave", () => { if (!drag && document.activeElement !== graph) { chosen = null; show(); } });
    graph.addEventListener("dblclick", () => { const link = moves && range("zoom out"); if (link) location.assign(link.href); });
  }
})();
