import { byTestId, h, literal } from "./dom.js";

/** What the list keeps; older entries fall off the end. */
const KEEP = 300;

const MARKS = { out: "↑", in: "↓", ack: "↩", note: "·" };
const SPOKEN = { out: "sent", in: "received", ack: "acknowledged", note: "note" };

const list = byTestId("timeline");
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

byTestId("clear-timeline").addEventListener("click", () => list.replaceChildren());

/** Puts an event on top of the list. `direction`: out, in, ack or note. */
export function record(direction, event, args = []) {
  // The same note again and again (a server that is down) is one line with a count.
  const top = list.firstElementChild;
  const asJson = toJson(args);
  if (direction === "note" && top?.dataset.direction === "note" && top.dataset.event === event && top.dataset.args === asJson) {
    const times = Number(top.dataset.times) + 1;
    top.dataset.times = times;
    top.querySelector(".entry-times").textContent = `×${times}`;
    top.querySelector("time").replaceWith(now());
    return;
  }

  list.prepend(
    h(
      "li",
      {
        class: "entry",
        "data-testid": "timeline-entry",
        "data-direction": direction,
        "data-event": event,
        "data-args": asJson,
        "data-times": 1,
      },
      h("span", { class: "entry-mark", role: "img", "aria-label": SPOKEN[direction] }, MARKS[direction]),
      h("code", { class: "entry-event" }, event),
      h("span", { class: "entry-times" }),
      now(),
      args.length ? h("div", { class: "entry-args" }, ...args.map((arg) => h("code", {}, ...(direction === "note" ? [String(arg)] : literal(arg))))) : undefined,
    ),
  );
  while (list.childElementCount > KEEP) list.lastElementChild.remove();
}

function now() {
  const date = new Date();
  const millis = String(date.getMilliseconds()).padStart(3, "0");
  return h("time", { datetime: date.toISOString() }, clock.format(date), h("small", {}, `.${millis}`));
}

function toJson(args) {
  try {
    return JSON.stringify(args);
  } catch {
    return "";
  }
}
