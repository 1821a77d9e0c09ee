/* Offers records while a person types into a field of references: a combobox of the WAI-ARIA practices. */
const WAIT = 120; // milliseconds after the last key
const SHORTEST = 2; // characters
const [visit] = performance.getEntriesByType("navigation");

class Picker {
  constructor(root) {
    this.root = root;
    this.input = root.querySelector("[role=combobox]");
    this.list = root.querySelector("[role=listbox]");
    this.status = root.querySelector("[role=status]");
    this.id = root.querySelector("[name$='.id']");
    this.text = root.querySelector("[name$='.text']");
    this.offered = [];
    this.at = -1;
    this.timer = 0;
    this.asking = null;
    this.bringBack();
    this.input.addEventListener("input", () => this.typed());
    this.input.addEventListener("keydown", (event) => this.pressed(event));
    this.input.addEventListener("blur", () => this.close());
    // Before the field loses the focus, which would close the list.
    this.list.addEventListener("mousedown", (event) => {
      event.preventDefault();
      const option = event.target.closest("[role=option]");
      if (option) this.choose(Number(option.dataset.at));
    });
  }

  /* A browser brings back what was typed into other fields when somebody goes back; here it would offer its own list. */
  bringBack() {
    const kept = history.state?.picks?.[this.input.id];
    const { value, defaultValue } = this.input;
    const isTyped = value !== defaultValue && value !== kept?.[0];
    if (isTyped) this.typed(); // before the scripts were at work
    else if (kept) [this.input.value, this.id.value, this.text.value] = kept;
    else if (visit.responseStatus >= 400) this.keep(); // the page of a refused form, which does not come back
  }

  keep() {
    const picks = { ...history.state?.picks, [this.input.id]: [this.input.value, this.id.value, this.text.value] };
    history.replaceState({ ...history.state, picks }, "");
  }

  typed() {
    this.id.value = "";
    this.text.value = "";
    this.keep();
    clearTimeout(this.timer);
    const typed = this.input.value.trim();
    if (typed.length < SHORTEST) return this.close();
    // Who has gone on before the scripts were at work is offered nothing.
    if (document.activeElement === this.input) this.timer = setTimeout(() => this.ask(typed), WAIT);
  }

  async ask(typed) {
    this.asking?.abort();
    this.asking = new AbortController();
    const token = this.root.closest("form").elements.token.value;
    try {
      const answer = await fetch(`/ui/pick/${this.root.dataset.object}`, {
        method: "POST",
        body: new URLSearchParams({ token, typed }),
        signal: this.asking.signal,
      });
      const isList = answer.headers.get("content-type")?.startsWith("application/json");
      if (!answer.ok || !isList) return this.say("Nothing can be offered now; type the whole name, or an ID.");
      this.show(await answer.json());
    } catch (error) {
      if (error.name !== "AbortError") this.say("The Vault does not answer.");
    }
  }

  show(offered) {
    this.offered = offered;
    this.list.replaceChildren(...offered.map((each, at) => this.option(each, at)));
    this.list.hidden = !offered.length;
    this.input.setAttribute("aria-expanded", String(Boolean(offered.length)));
    this.move(offered.length ? 0 : -1);
    this.say(offered.length ? `${offered.length} found` : "Nothing found.");
  }

  option(each, at) {
    const option = document.createElement("li");
    option.role = "option";
    option.id = `${this.list.id}-${at}`;
    option.dataset.at = at;
    option.append(each.name);
    if (each.hint) {
      const hint = document.createElement("small");
      hint.textContent = each.hint;
      option.append(hint);
    }
    return option;
  }

  move(at) {
    this.at = at;
    for (const option of this.list.children) {
      option.setAttribute("aria-selected", String(Number(option.dataset.at) === at));
    }
    const active = this.list.children[at];
    if (active) {
      this.input.setAttribute("aria-activedescendant", active.id);
      active.scrollIntoView({ block: "nearest" });
    } else this.input.removeAttribute("aria-activedescendant");
  }

  pressed(event) {
    if (this.list.hidden) return;
    const count = this.offered.length;
    const keys = {
      ArrowDown: () => this.move((this.at + 1) % count),
      ArrowUp: () => this.move((this.at - 1 + count) % count),
      Enter: () => this.choose(this.at),
      Escape: () => this.close(),
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  choose(at) {
    const chosen = this.offered[at];
    if (!chosen) return;
    this.input.value = chosen.name;
    this.id.value = chosen.id;
    this.text.value = chosen.name;
    this.keep();
    this.close();
    this.say(`${chosen.name} chosen`);
  }

  close() {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  say(text) {
    this.status.textContent = text;
  }
}

function start(within) {
  within.querySelectorAll(".pick:not([data-started])").forEach((root) => {
    root.dataset.started = "";
    new Picker(root);
  });
}

start(document);
document.body.addEventListener("htmx:afterSettle", () => start(document));
