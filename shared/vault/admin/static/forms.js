/* Has a form be the same one when somebody comes back to it: a browser brings back what was typed, in a page that is new. */
const REFILLED = "form[method=post] :is(textarea, input:not([type=hidden], [type=checkbox], [type=radio], [type=file]))";
const TYPED = "select, textarea, input:not([type=hidden])";

const all = [...document.querySelectorAll("input[name=form_id]")];
// A button alone is pressed again because it is meant again.
const filledIn = all.filter((id) => id.form.querySelector(TYPED));

// What belongs to a place in the history of the window is there when somebody goes back to it, or loads the page again.
const kept = history.state?.forms ?? {};
const forms = {};
filledIn.forEach((id, at) => {
  const key = `${at} ${id.form.getAttribute("action") ?? ""}`;
  id.value = kept[key] ?? id.value;
  forms[key] = id.value;
});
if (filledIn.length) history.replaceState({ ...history.state, forms }, "");

/* A browser brings back what was typed in the fields of a page, and not in those that a choice has asked for since. */
const ASKED = "main form[method=post] :is(select, textarea, input:not([type=hidden], [type=password], [type=file]))";
const isBox = (field) => ["checkbox", "radio"].includes(field.type);
const served = new Set([...document.querySelectorAll(ASKED)].map((field) => field.name));
const askedFor = () => [...document.querySelectorAll(ASKED)].filter((field) => !served.has(field.name));
const typed = new Map(Object.entries(history.state?.typed ?? {}));

/* A browser that goes back brings back what was typed in the fields that came with the page; one that reloads does not. */
const COMBOBOX = "combobox"; // brings back its own
const isChanged = (field) => {
  if (isBox(field)) return field.checked !== field.defaultChecked;
  if (field.options) return [...field.options].some((each) => each.selected !== each.defaultSelected);
  return field.value !== field.defaultValue;
};
const servedFields = () =>
  [...document.querySelectorAll(ASKED)].filter((field) => served.has(field.name) && field.role !== COMBOBOX);
const keyOf = (field) => {
  const form = [...document.forms].indexOf(field.form);
  return `${form} ${field.name} ${isBox(field) ? field.value : ""}`;
};
const valueOf = (field) => {
  if (isBox(field)) return field.checked;
  return field.multiple ? [...field.selectedOptions].map((each) => each.value) : field.value;
};
const setValue = (field, value) => {
  if (isBox(field)) field.checked = value;
  else if (Array.isArray(value)) for (const each of field.options) each.selected = value.includes(each.value);
  else field.value = value;
};

addEventListener("beforeunload", () => {
  const values = askedFor().map((field) => [field.name, valueOf(field)]);
  const changed = servedFields()
    .filter(isChanged)
    .map((field) => [keyOf(field), valueOf(field)]);
  const fields = { typed: Object.fromEntries(values), changed: Object.fromEntries(changed) };
  if (values.length || changed.length || history.state?.changed) {
    history.replaceState({ ...history.state, ...fields }, "");
  }
});

const [visit] = performance.getEntriesByType("navigation");
if (visit?.type === "reload") {
  const changed = new Map(Object.entries(history.state?.changed ?? {}));
  for (const field of servedFields().filter((each) => changed.has(keyOf(each)))) {
    setValue(field, changed.get(keyOf(field)));
  }
}

document.addEventListener("htmx:afterSettle", () => {
  for (const field of askedFor().filter((each) => typed.has(each.name))) {
    const value = typed.get(field.name);
    // Once: what the same choice asks for later is a new field.
    typed.delete(field.name);
    setValue(field, value);
    for (const event of ["input", "change"]) field.dispatchEvent(new Event(event, { bubbles: true }));
  }
});

/* A browser brings back only what differs from its page, and asks for the page anew: all values of a refused form do. */
if (visit?.responseStatus >= 400) {
  for (const field of document.querySelectorAll(REFILLED)) {
    const { value } = field;
    field.defaultValue = "";
    field.value = value;
  }
}
addEventListener("pageshow", () => {
  // Parts of a form depend on choices; some were made before this page came, or before its scripts were at work.
  for (const select of document.querySelectorAll("main form[method=post] select")) {
    const isChosen = [...select.selectedOptions].some((each) => each.value && !each.defaultSelected);
    if (isChosen) select.dispatchEvent(new Event("change", { bubbles: true }));
  }
});
