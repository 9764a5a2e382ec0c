"use strict";
// Light or dark, where the reader chose it. It runs before anything is drawn, so that no page flashes; without it, the system says.
(() => {
  const name = "mailpulse-theme";
  const light = document.querySelector("meta[name=color-scheme]");
  const dark = document.getElementById("dark");
  const followed = [light.content, dark.media];
  const known = (theme) => (theme === "light" || theme === "dark" ? theme : "");
  // A browser may keep nothing: the choice then holds for the page.
  const kept = () => { try { return known(localStorage.getItem(name)); } catch { return ""; } };
  const keep = (theme) => {
    try { theme ? localStorage.setItem(name, theme) : localStorage.removeItem(name); } catch { return; }
  };
  const show = (theme) => {
    light.content = theme || followed[0];
    dark.media = theme === "dark" ? "screen" : theme === "light" ? "not all" : followed[1];
  };
  show(kept());
  document.addEventListener("DOMContentLoaded", () => {
    const choice = document.getElementById("theme");
    choice.value = kept();
    choice.addEventListener("change", () => { keep(known(choice.value)); show(known(choice.value)); });
    // Other tabs follow.
    addEventListener("storage", (event) => {
      if (event.key === name || event.key === null) { choice.value = kept(); show(kept()); }
    });
    choice.closest("[hidden]").hidden = false;
  });
})();
