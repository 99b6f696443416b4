// The board: asked for anew every other second, which costs next to nothing when there is nothing new.
import { pauses, report, retryAfter } from "./stream.js";
import { keepRelativeTimes, localise } from "./times.js";

const EVERY = 1_500;
const root = document.getElementById("board");

localise(document);
keepRelativeTimes();
follow();

async function follow() {
  const pause = pauses();
  for (;;) {
    if (!document.hidden) {
      let atLeast = 0;
      try {
        const answer = await fetch(`${root.dataset.part}?version=${root.dataset.version}`, { cache: "no-store" });
        if (answer.status === 401) {
          location.reload(); // the session is over: the page that asks for a token comes instead
          return;
        }
        if (!answer.ok) {
          atLeast = retryAfter(answer);
          throw new Error(String(answer.status));
        }
        if (answer.status === 200) {
          replace(await answer.text());
          root.dataset.version = answer.headers.get("X-Version");
        }
        report("board", true);
        pause.reset();
      } catch {
        report("board", false);
        await pause.wait(atLeast);
        continue;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}

// What the reader unfolded stays unfolded, what has the focus keeps it, and no column loses its place.
function replace(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  localise(template.content);
  const focused = root.contains(document.activeElement) ? keyOf(document.activeElement) : null;
  const open = new Set([...root.querySelectorAll("details[open][id]")].map((one) => one.id));
  const places = new Map([...root.querySelectorAll("[data-scrolls]")].map((one) => [one.id, one.scrollTop]));
  for (const one of template.content.querySelectorAll("details[id]")) one.open = open.has(one.id);
  root.replaceChildren(template.content);
  for (const [id, top] of places) {
    const one = document.getElementById(id);
    if (one) one.scrollTop = top;
  }
  if (focused) [...root.querySelectorAll("a, summary, [tabindex]")].find((one) => keyOf(one) === focused)?.focus({ preventScroll: true });
}

function keyOf(element) {
  return element.getAttribute("data-key") ?? element.id;
}
