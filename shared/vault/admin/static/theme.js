/* Applies the chosen colours before the page is drawn, and has the switch in the page's head change them. */
"use strict";
(() => {
  const KEY = "theme";
  const NEXT = { light: "dark", dark: "light" };
  const system = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const shown = () => document.documentElement.dataset.theme || system();

  const saved = localStorage.getItem(KEY);
  if (saved in NEXT) document.documentElement.dataset.theme = saved;

  const label = (button) => {
    button.textContent = shown() === "dark" ? "Light" : "Dark";
    button.title = `Show the pages ${button.textContent.toLowerCase()}`;
  };
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    // Without scripts there is nothing that it could do.
    button.hidden = false;
    label(button);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => label(button));
    button.addEventListener("click", () => {
      const theme = NEXT[shown()];
      document.documentElement.dataset.theme = theme;
      localStorage.setItem(KEY, theme);
      label(button);
    });
  });
})();
