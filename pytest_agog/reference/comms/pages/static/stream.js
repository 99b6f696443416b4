// Follows the events of one timeline for as long as the page is open.
//
// EventSource gives up for good when it is answered with an error such as 503, and it cannot see a connection that has
// silently gone: so the events are read from a fetch. Every connection resumes after the last message that is shown.
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 5_000;
const SILENCE = 16_000; // the service says something every 5 s
const HIDDEN = 30_000; // browsers allow six connections to a host: a page that nobody sees gives its own back

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// A page is live when all that it needs answers: its events, and its messages.
const answers = {};

export function report(part, ok) {
  answers[part] = ok;
  const state = Object.values(answers).every(Boolean) ? "live" : "reconnecting";
  const badge = document.getElementById("badge");
  if (!badge || badge.dataset.state === state) return;
  badge.dataset.state = state;
  badge.querySelector(".said").textContent = { live: "Live", reconnecting: "Reconnecting" }[state];
}

export function pauses() {
  let next = FIRST_PAUSE;
  return {
    reset() {
      next = FIRST_PAUSE;
    },
    async wait(atLeast = 0) {
      const length = Math.max(next * (0.75 + Math.random() / 2), atLeast);
      next = Math.min(next * 2, LONGEST_PAUSE);
      const woken = new AbortController();
      await Promise.race([
        wait(length),
        new Promise((resolve) => addEventListener("online", resolve, { once: true, signal: woken.signal })),
      ]);
      woken.abort();
    },
  };
}

export const retryAfter = (answer) => Math.min(Number(answer.headers.get("Retry-After")) || 0, 5) * 1000;

export async function follow(url, last, arrived) {
  const pause = pauses();
  for (;;) {
    await seen();
    let atLeast = 0;
    const connection = new AbortController();
    const hide = letGoWhenHidden(connection);
    try {
      const answer = await fetch(`${url}&lastEventId=${last()}`, {
        cache: "no-store",
        headers: { Accept: "text/event-stream", "Last-Event-ID": String(last()) },
        signal: connection.signal,
      });
      if (answer.status === 401) {
        location.reload(); // the session is over: the page that asks for a token comes instead
        return;
      }
      if (answer.ok && answer.body) {
        report("events", true);
        pause.reset();
        arrived(Infinity);
        await read(answer.body, connection, arrived);
      } else {
        atLeast = retryAfter(answer);
      }
    } catch {
      // whatever it was, the answer is to connect again
    } finally {
      connection.abort();
      hide();
    }
    report("events", false);
    await pause.wait(atLeast);
  }
}

async function read(body, connection, arrived) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let silence;
  try {
    for (;;) {
      clearTimeout(silence);
      silence = setTimeout(() => connection.abort(), SILENCE);
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      if (rest.length > 100_000) rest = rest.slice(0, 5); // only how a line begins is of interest
      for (const line of lines) {
        if (line.startsWith("id:")) arrived(Number(line.slice(3)));
        // A heartbeat tells that the service is there, not that its database is: so messages are asked for now and then.
        else if (line.startsWith(":")) arrived(Infinity);
      }
    }
  } finally {
    clearTimeout(silence);
  }
}

function seen() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
  });
}

function letGoWhenHidden(connection) {
  let timer;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => connection.abort(), HIDDEN);
  };
  look();
  document.addEventListener("visibilitychange", look);
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };
}
