"use strict";
// Keeps a page current. The page is whole without it: every part comes from the server, and is only put in its place here.
// What has the focus or the selection stays as it is, and nothing scrolls.
(() => {
  const body = document.body;
  const url = body.dataset.stream;
  const asof = document.querySelector("#asof span");
  const shift = Number(body.dataset.now || 0) - Date.now();
  let source = null;
  let busy = false;
  let again = false;

  const held = (node) => {
    const selection = document.getSelection();
    const selects = selection && !selection.isCollapsed && selection.rangeCount > 0 && selection.getRangeAt(0).intersectsNode(node);
    return selects || node.contains(document.activeElement);
  };

  const put = (fresh) => {
    for (const next of fresh.querySelectorAll("[data-live][id]")) {
      const old = document.getElementById(next.id);
      if (old && old.innerHTML !== next.innerHTML && !held(old)) {
        old.className = next.className;
        old.innerHTML = next.innerHTML;
      }
    }
    // Rows that came or went: the whole board is put anew.
    const ids = (board) => Array.from(board.querySelectorAll("tr[id]"), (row) => row.id).join();
    for (const next of fresh.querySelectorAll("section.board")) {
      const old = document.getElementById(next.id);
      if (old && ids(old) !== ids(next) && !held(old)) old.innerHTML = next.innerHTML;
    }
    const alarms = fresh.getElementById("firing");
    const old = document.getElementById("firing");
    if (alarms && !old) document.getElementById("verdict").after(document.importNode(alarms, true));
    if (!alarms && old && !held(old)) old.remove();
    const stamp = fresh.querySelector("#asof span");
    if (stamp) { asof.textContent = stamp.textContent + ", live"; asof.className = stamp.className; }
    document.title = fresh.title;
  };

  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      if (answer.ok) put(new DOMParser().parseFromString(await answer.text(), "text/html"));
      else late();
    } catch { late(); }
    busy = false;
    if (again) { again = false; refresh(); }
  };

  const late = () => {
    if (asof.dataset.since) return;
    asof.dataset.since = new Date().toLocaleTimeString();
    asof.textContent = asof.textContent.replace(", live", "") + ", not live since " + asof.dataset.since;
    asof.className = "late";
  };

  const open = () => {
    if (source || document.hidden || !url) return;
    source = new EventSource(url);
    source.addEventListener("change", () => { delete asof.dataset.since; refresh(); });
    source.addEventListener("beat", () => { if (asof.dataset.since) { delete asof.dataset.since; refresh(); } });
    source.addEventListener("error", late);
  };

  const close = () => { if (source) { source.close(); source = null; } };

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);

  // Ages go on. The time is that of the server, as it was when the page came.
  const units = (s) => s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min`
    : s < 172800 ? `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min` : null;
  const tick = () => {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const age = Math.floor((Date.now() + shift - Date.parse(time.dateTime)) / 1000);
      const words = age >= 0 && units(age);
      if (words && !held(time)) time.textContent = words + " ago";
    }
  };
  if (body.dataset.now) setInterval(tick, 5000);

  open();
})();
