import { follow, pauses, retryAfter } from "./stream.js";
import { keepRelativeTimes, localise } from "./times.js";
import { Timeline } from "./timeline.js";
import { followRuns } from "./runs.js";

localise(document);
keepRelativeTimes();

const root = document.getElementById("timeline");
if (root) {
  const timeline = new Timeline(root);
  timeline.start();
  follow(root.dataset.events, () => timeline.last, (id) => timeline.arrived(id));
}

const runs = document.querySelector("[data-list]");
if (runs) followRuns(runs);

if (document.getElementById("away")) comeBack();

// The page is asked for until it is there again.
async function comeBack() {
  const pause = pauses();
  let atLeast = 0;
  for (;;) {
    await pause.wait(atLeast);
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (answer.status !== 503) return location.reload();
      atLeast = retryAfter(answer);
    } catch {
      // not yet
    }
  }
}
