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

const [visit] = performance.getEntriesByType("navigation");
/* A browser brings back only what differs from its page, and asks for the page anew: all values of a refused form do. */
if (visit.responseStatus >= 400) {
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
