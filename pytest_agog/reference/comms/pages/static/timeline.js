// An open timeline: new messages at its end, older ones at its beginning, both rendered by the server.
import { Filters } from "./filters.js";
import { pauses, retryAfter, report } from "./stream.js";
import { localise } from "./times.js";

const BATCH = 80; // milliseconds for which events are gathered: a burst costs one request
const SUMMARY = 2_000;
const MOST = 1_500; // messages in the page; the oldest ones go when there are more, and can be loaded again
const KEEP = 1_000;
const TALL = 720; // pixels

export class Timeline {
  constructor(root) {
    this.root = root;
    this.older = document.getElementById("older");
    this.button = document.getElementById("new");
    this.first = Number(root.dataset.first);
    this.last = Number(root.dataset.last);
    this.wanted = 0;
    this.unseen = 0;
    this.filters = new Filters(root);
    this.#prepare(root);
  }

  start() {
    history.scrollRestoration = "manual";
    this.button.addEventListener("click", () => this.#toEnd());
    addEventListener("scroll", () => this.#atEnd() && this.#allSeen(), { passive: true });
    this.older.querySelector("button").addEventListener("click", () => this.loadOlder());
    if (location.hash) this.#jump();
    else this.#toEnd();
    addEventListener("hashchange", () => this.#jump());
    const observer = new IntersectionObserver((seen) => seen.some((item) => item.isIntersecting) && this.loadOlder(), {
      rootMargin: "400px 0px 0px 0px",
    });
    requestAnimationFrame(() => requestAnimationFrame(() => observer.observe(this.older)));
    this.observer = observer;
  }

  // An event with this id has come.
  arrived(id) {
    this.wanted = Math.max(this.wanted, id);
    if (this.wanted > this.last && !this.timer && !this.fetching) {
      this.timer = setTimeout(() => this.#catchUp(), BATCH);
    }
  }

  async #catchUp() {
    this.timer = undefined;
    this.fetching = true;
    const pause = pauses();
    while (this.wanted > this.last) {
      const asked = this.wanted;
      this.wanted = 0; // what comes while the answer is on its way may not be in it
      const { part, after } = await this.#fetch("after", this.last);
      if (part) {
        pause.reset();
        report("messages", true);
        this.#append(part);
        if ("more" in part.dataset) this.wanted = Infinity;
      } else {
        this.wanted = asked;
        report("messages", false);
        await pause.wait(after);
      }
    }
    this.fetching = false;
  }

  loadOlder() {
    if (this.older.hidden) return Promise.resolve();
    this.loading ??= this.#loadOlder().finally(() => {
      this.loading = undefined;
    });
    return this.loading;
  }

  async #loadOlder() {
    const button = this.older.querySelector("button");
    button.setAttribute("aria-busy", "true");
    const { part, after } = await this.#fetch("before", this.first);
    button.removeAttribute("aria-busy");
    if (part) {
      const before = document.documentElement.scrollHeight;
      const top = scrollY;
      this.older.hidden = !("more" in part.dataset);
      this.#insert(part, false);
      scrollTo({ top: top + document.documentElement.scrollHeight - before, behavior: "instant" });
    }
    // While the button is still in sight there is room for more; to observe it anew tells.
    this.observer?.unobserve(this.older);
    setTimeout(() => this.observer?.observe(this.older), part ? 150 : after + 1_000);
  }

  async #fetch(side, seq) {
    const url = new URL(this.root.dataset.messages, location.href);
    url.searchParams.set(side, String(seq));
    try {
      const answer = await fetch(url, { cache: "no-store" });
      if (!answer.ok) return { after: retryAfter(answer) };
      const template = document.createElement("template");
      template.innerHTML = await answer.text();
      return { part: template.content.querySelector(".fragment") };
    } catch {
      return { after: 0 };
    }
  }

  #append(part) {
    const fresh = part.querySelectorAll(".entry").length;
    if (!fresh) return;
    const following = this.#atEnd();
    const agents = [...new Set([...part.querySelectorAll(".group")].map((group) => group.dataset.agent))];
    this.#insert(part, true);
    document.getElementById("empty").hidden = true;
    document.getElementById("said").textContent = `${fresh} new ${fresh === 1 ? "message" : "messages"} from ${agents.slice(0, 4).join(", ")}`;
    if (following) {
      this.#trim();
      this.#toEnd();
    } else {
      this.unseen += fresh;
      this.button.textContent = `${this.unseen} new ${this.unseen === 1 ? "message" : "messages"} ↓`;
      this.button.hidden = false;
    }
    this.#refreshSummary();
  }

  #insert(part, atEnd) {
    const links = [...part.querySelectorAll(".link")];
    for (const entry of part.querySelectorAll(".entry")) {
      if (document.getElementById(entry.id) || document.getElementById(`r${entry.dataset.seq}`)) entry.remove();
    }
    const groups = [...part.querySelectorAll(".group")].filter((group) => group.querySelector(".entry"));
    for (const group of groups) this.#prepare(group);
    const joint = atEnd ? this.root.lastElementChild : this.root.firstElementChild;
    const meeting = atEnd ? groups[0] : groups.at(-1);
    if (joint && meeting && joint.dataset.agent === meeting.dataset.agent && joint.dataset.run === meeting.dataset.run) {
      const entries = joint.querySelector(".entries");
      entries[atEnd ? "append" : "prepend"](...meeting.querySelector(".entries").children);
      groups.splice(atEnd ? 0 : -1, 1);
    }
    this.root[atEnd ? "append" : "prepend"](...groups);
    for (const link of links) this.#join(link.dataset);
    const { first, last } = part.dataset;
    if (Number(first)) this.first = this.first ? Math.min(this.first, Number(first)) : Number(first);
    this.last = Math.max(this.last, Number(last));
    this.#fold(this.root);
    this.#markNewest();
    this.filters.apply();
  }

  // Two entries of which the server says that they are one: a copy, or a result and its call.
  #join({ kind, seq, to }) {
    const part = document.getElementById(`m${seq}`);
    const whole = document.getElementById(`m${to}`);
    if (!part || (!whole && !(kind === "copy" && document.getElementById(`r${to}`)))) return;
    const group = part.closest(".group");
    if (kind === "copy") {
      whole?.setAttribute("data-general", "");
    } else {
      whole.querySelector(".results").append(...part.querySelector(".results").children);
      whole.querySelector(".outcome").replaceChildren(...part.querySelector(".outcome").childNodes);
      whole.dataset.last = String(Math.max(Number(whole.dataset.last), Number(part.dataset.last)));
      if (part.classList.contains("problem")) {
        whole.classList.add("problem");
        whole.querySelector("details.tool").open = true;
      }
    }
    part.remove();
    if (!group.querySelector(".entry")) group.remove();
  }

  #markNewest() {
    let newest;
    for (const entry of this.root.querySelectorAll(".entry")) {
      if (!newest || Number(entry.dataset.last) > Number(newest.dataset.last)) newest = entry;
    }
    for (const entry of this.root.querySelectorAll(".entry.newest")) entry.classList.remove("newest");
    newest?.classList.add("newest");
  }

  #prepare(root) {
    localise(root);
    if (root === this.root) this.#fold(root);
  }

  // What is very tall shows its beginning, and the rest on demand.
  #fold(root) {
    const fresh = [...root.querySelectorAll(".prose:not([data-looked])")];
    const tall = fresh.filter((body) => body.scrollHeight > TALL);
    for (const body of fresh) body.dataset.looked = "";
    for (const body of tall) {
      body.classList.add("folded");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "unfold";
      button.textContent = "Show all";
      button.setAttribute("aria-expanded", "false");
      button.addEventListener("click", () => {
        const folded = body.classList.toggle("folded");
        button.textContent = folded ? "Show all" : "Show less";
        button.setAttribute("aria-expanded", String(!folded));
      });
      body.after(button);
    }
  }

  #trim() {
    const entries = this.root.querySelectorAll(".entry");
    if (entries.length <= MOST) return;
    let gone = 0;
    for (const entry of [...entries].slice(0, entries.length - KEEP)) {
      gone = Math.max(gone, Number(entry.dataset.last)); // a call goes with its result, which may be much younger
      entry.remove();
    }
    for (const group of this.root.querySelectorAll(".group")) {
      if (group.querySelector(".entry")) break;
      group.remove();
    }
    this.first = Math.max(Number(this.root.querySelector(".entry").dataset.seq), gone + 1);
    this.older.hidden = false;
  }

  #refreshSummary() {
    if (!this.root.dataset.summary || this.summaryTimer) return;
    this.summaryTimer = setTimeout(async () => {
      this.summaryTimer = undefined;
      try {
        const answer = await fetch(this.root.dataset.summary, { cache: "no-store" });
        if (answer.status !== 200) return;
        const template = document.createElement("template");
        template.innerHTML = await answer.text();
        const summary = template.content.querySelector("#summary");
        localise(summary);
        this.filters.replace(document.getElementById("summary"), summary);
      } catch {
        // the next message asks again
      }
    }, document.getElementById("summary").childElementCount ? SUMMARY : 0);
  }

  async #jump() {
    const seq = /^#[mr](\d+)$/.exec(location.hash)?.[1];
    const look = () => document.getElementById(`m${seq}`) ?? document.getElementById(`r${seq}`);
    if (!seq) return;
    while (!look() && Number(seq) < this.first && !this.older.hidden) {
      const before = this.first;
      await this.loadOlder();
      if (this.first === before) return;
    }
    look()?.scrollIntoView({ block: "center" });
  }

  #atEnd() {
    return innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
  }

  #toEnd() {
    scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
    this.#allSeen();
  }

  #allSeen() {
    this.unseen = 0;
    this.button.hidden = true;
  }
}
