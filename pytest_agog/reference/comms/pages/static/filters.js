// Shows only some agents' messages, or only what went wrong.
export class Filters {
  constructor(root) {
    this.root = root;
    this.agents = new Set();
    this.problems = false;
    document.addEventListener("click", (event) => {
      const button = event.target.closest?.("#summary button");
      if (button) this.#toggle(button);
    });
  }

  // A newer summary takes the place of the old one; what is chosen, and where the focus is, stays.
  replace(old, fresh) {
    const focused = old.contains(document.activeElement) ? document.activeElement.dataset.agent ?? "" : null;
    old.replaceWith(fresh);
    this.#show();
    if (focused !== null) {
      [...fresh.querySelectorAll("button")].find((button) => (button.dataset.agent ?? "") === focused)?.focus();
    }
  }

  apply() {
    const all = !this.agents.size && !this.problems;
    for (const group of this.root.children) {
      const chosen = !this.agents.size || this.agents.has(group.dataset.agent);
      let any = false;
      for (const entry of group.querySelectorAll(".entry")) {
        entry.hidden = !all && this.problems && !entry.classList.contains("problem");
        any ||= !entry.hidden;
      }
      group.hidden = !(chosen && any);
    }
  }

  #toggle(button) {
    if ("problems" in button.dataset) this.problems = !this.problems;
    else if (!this.agents.delete(button.dataset.agent)) this.agents.add(button.dataset.agent);
    this.#show();
    this.apply();
  }

  #show() {
    for (const button of document.querySelectorAll("#summary button")) {
      const pressed = "problems" in button.dataset ? this.problems : this.agents.has(button.dataset.agent);
      button.setAttribute("aria-pressed", String(pressed));
    }
  }
}
