/* Has a part of a page that is drawn anew leave what its reader has done there: what is typed, chosen and unfolded. */
const done = new WeakSet();

/* A field that offers records consists of several: they are changed together. */
const whole = (field) => field.closest(".pick") ?? field.closest("select") ?? field;

for (const event of ["input", "change"]) {
  document.addEventListener(event, ({ target }) => done.add(whole(target)));
}
// What a browser has brought back; forms.js says so of choices.
addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("input, textarea")) {
    if (field.value !== field.defaultValue) done.add(whole(field));
  }
});
document.addEventListener("click", ({ target }) => {
  const summary = target.closest("summary");
  if (summary) done.add(summary.parentElement);
});

/* Returns whether an attribute says what a person has done, or has been set by a script, and not what the Vault says. */
function isOfReader(name, element) {
  if (name === "data-started") return true;
  if (name === "open") return done.has(element);
  if (!["value", "checked", "selected"].includes(name)) return false;
  // Each drawing of a form has a new ID, and for its reader it is the same form.
  return element.name === "form_id" || done.has(whole(element));
}

/* Removes the note of an act that has begun once the page is asked for at another pace, or no more. */
function removeNoteOfAct(name, element) {
  if (name === "hx-trigger" && element.id === "page") document.querySelector("main > .note.begun")?.remove();
}

/* Returns whether an element is a moment that stays: its text is its reader's, in which something may be selected. */
function isSameMoment(element, drawn) {
  return element.tagName === "TIME" && element.dateTime === drawn.dateTime;
}

Idiomorph.defaults.callbacks.beforeNodeMorphed = (element, drawn) => !isSameMoment(element, drawn);
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) => {
  removeNoteOfAct(name, element);
  return !isOfReader(name, element);
};
