// Times in the reader's own zone; the full UTC time stays in the title.
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dateAndClock = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const ago = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });

export function localise(root) {
  for (const element of root.querySelectorAll("time[datetime]")) tell(element);
}

export function keepRelativeTimes() {
  setInterval(() => {
    if (document.hidden) return;
    for (const element of document.querySelectorAll("time[data-relative]")) tell(element);
  }, 10_000);
}

function tell(element) {
  const time = new Date(element.dateTime);
  if (Number.isNaN(time.getTime())) return;
  const said = "relative" in element.dataset ? relative(time) : absolute(time);
  if (element.textContent !== said) element.textContent = said;
}

function absolute(time) {
  const now = new Date();
  if (time.toDateString() === now.toDateString()) return clock.format(time);
  return (time.getFullYear() === now.getFullYear() ? dayAndClock : dateAndClock).format(time);
}

function relative(time) {
  const seconds = (time.getTime() - Date.now()) / 1000;
  if (Math.abs(seconds) > 30 * 86400) return absolute(time);
  if (Math.abs(seconds) < 5) return "just now";
  const [unit, length] = units.find(([, length]) => Math.abs(seconds) >= length) ?? units.at(-1);
  return ago.format(Math.round(seconds / length), unit);
}
