// The list of runs: asked for anew every other second, which costs next to nothing when there is nothing new.
import { pauses, retryAfter, report } from "./stream.js";
import { localise } from "./times.js";

const EVERY = 1_500;

export async function followRuns(root) {
  const pause = pauses();
  for (;;) {
    if (!document.hidden) {
      let atLeast = 0;
      try {
        const newest = root.querySelector("[data-newest]").dataset.newest;
        const answer = await fetch(`${root.dataset.list}?newest=${newest}`, { cache: "no-store" });
        if (!answer.ok) {
          atLeast = retryAfter(answer);
          throw new Error(String(answer.status));
        }
        if (answer.status === 200) replace(root, await answer.text());
        report("runs", true);
        pause.reset();
      } catch {
        report("runs", false);
        await pause.wait(atLeast);
        continue;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}

function replace(root, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  localise(template.content);
  const focused = root.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  root.replaceChildren(template.content);
  if (focused) [...root.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
}
