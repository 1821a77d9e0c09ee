/* Writes each moment of a page as its reader says it: minutes ago while it is near, else in the reader's own zone. */
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/* Returns how the distance in seconds, negative for the past, is said; null when it is a day or more. */
function distance(seconds) {
  const size = Math.abs(seconds);
  if (size < MINUTE) return relative.format(Math.trunc(seconds), "second");
  if (size < HOUR) return relative.format(Math.trunc(seconds / MINUTE), "minute");
  if (size < DAY) return relative.format(Math.trunc(seconds / HOUR), "hour");
  return null;
}

function write(element) {
  const moment = new Date(element.dateTime);
  if (Number.isNaN(moment.valueOf())) return;
  const said = distance((moment - Date.now()) / 1000) ?? short.format(moment);
  element.title = `${exact.format(moment)} (${moment.toISOString()})`;
  if (element.textContent !== said) element.textContent = said;
}

function writeAll() {
  document.querySelectorAll("time[datetime]").forEach(write);
}

writeAll();
setInterval(writeAll, 20_000);
document.body.addEventListener("htmx:afterSettle", writeAll);
