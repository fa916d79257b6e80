import { h, highlight, svg } from "./dom.js";
import { GROUPS, moves } from "./moves.js";

/**
 * Builds the eight cards.
 * @param {{ socket: import("socket.io-client").Socket, onJoin: (room: string) => void, onAck: (event: string, reply: unknown) => void }} context
 */
export function renderMoves(root, context) {
  for (const [index, group] of GROUPS.entries()) {
    const title = `group-${index}`;
    root.append(
      h(
        "section",
        { class: "group", "aria-labelledby": title },
        h(
          "header",
          { class: "group-head" },
          h("h2", { id: title }, group.title),
          h("p", {}, group.note),
          group.rooms ? undefined : reachKey(),
          group.rooms ? h("ul", { class: "rooms", "data-testid": "rooms", "aria-label": "Rooms I asked to join" }) : undefined,
        ),
        h("div", { class: "cards" }, ...moves.filter((move) => move.group === index).map((move) => card(move, context))),
      ),
    );
  }
}

function card(move, context) {
  const { event } = move;
  const number = moves.indexOf(move) + 1;
  const error = h("p", { class: "card-error", id: `${event}-error`, "data-testid": `${event}-error`, role: "alert", hidden: true });
  const fields = move.fields.map((field) => fieldOf(event, field));

  const form = h(
    "form",
    { class: "card", "data-testid": `move-${event}`, "aria-labelledby": `${event}-title`, novalidate: true, autocomplete: "off" },
    h(
      "header",
      { class: "card-head" },
      h("span", { class: "card-number", "aria-hidden": "true" }, String(number)),
      h("div", {}, h("h3", { id: `${event}-title` }, move.title), h("p", {}, move.note)),
      reachOf(move.reach),
    ),
    h("pre", { class: "code" }, h("code", {}, ...highlight(move.code))),
    h(
      "fieldset",
      { disabled: true },
      h("legend", { class: "visually-hidden" }, `What ${event} carries`),
      h(
        "div",
        { class: "row" },
        ...fields.map((field) => field.element),
        h("button", { type: "submit", class: "primary", "data-testid": `${event}-send` }, move.action),
        move.aside ? h("button", { type: "button", class: "secondary", title: move.aside.title, "data-testid": `${event}-join` }, move.aside.action) : undefined,
      ),
      ...fields.map((field) => field.below).filter(Boolean),
      error,
      move.ack ? acknowledged(move.ack, event) : undefined,
    ),
  );
  const reply = form.querySelector(".reply");

  /** Reads the fields; says what is wrong with the first that is. */
  const read = (names = fields.map((field) => field.name)) => {
    error.hidden = true;
    for (const field of fields) field.input.removeAttribute("aria-invalid");
    const values = {};
    for (const field of fields.filter(({ name }) => names.includes(name))) {
      try {
        values[field.name] = field.read();
      } catch (problem) {
        error.textContent = problem.message;
        error.hidden = false;
        field.input.setAttribute("aria-invalid", "true");
        field.input.setAttribute("aria-describedby", error.id);
        field.input.focus();
        return undefined;
      }
    }
    return values;
  };

  form.addEventListener("submit", (submit) => {
    submit.preventDefault();
    const values = read();
    if (!values) return;
    move.go(context.socket, values);
    if (move.joins) context.onJoin(move.joins(values));
  });

  form.querySelector(`[data-testid="${event}-ack-send"]`)?.addEventListener("click", async () => {
    const values = read(move.ack.needs);
    if (!values) return;
    show(reply, "waiting", "waiting for the reply …");
    try {
      const answer = await move.ack.go(context.socket, values);
      show(reply, "done", JSON.stringify(answer));
      context.onAck(event, answer);
    } catch (problem) {
      show(reply, "failed", `no reply: ${problem.message}`);
    }
  });

  form.querySelector(`[data-testid="${event}-join"]`)?.addEventListener("click", () => {
    move.aside.go(context.socket);
    context.onJoin(move.aside.joins());
  });

  return form;
}

function show(reply, state, text) {
  reply.dataset.state = state;
  reply.textContent = text;
}

/** The second half of a card: the same event with a callback, and what it replied. */
function acknowledged({ code, action }, event) {
  return h(
    "div",
    { class: "second" },
    h("pre", { class: "code" }, h("code", {}, ...highlight(code))),
    h(
      "div",
      { class: "second-row" },
      h("button", { type: "button", class: "secondary", "data-testid": `${event}-ack-send` }, action),
      h("output", { class: "reply", "data-testid": `${event}-ack-reply`, "data-state": "idle" }, "no reply asked for yet"),
    ),
  );
}

function fieldOf(event, { name, label, value = "", kind = "text", placeholder, width = 4 }) {
  const id = `${event}-${name}`;
  const code = kind === "json" || kind === "peer";
  const input = h("input", {
    id,
    name,
    type: "text",
    value,
    placeholder,
    class: code ? "mono" : undefined,
    inputmode: kind === "number" ? "decimal" : undefined,
    spellcheck: code ? "false" : undefined,
    autocapitalize: code ? "none" : undefined,
    "data-testid": id,
  });
  return {
    name,
    input,
    element: h("div", { class: "field", style: `flex-grow: ${width}; flex-basis: ${width * 1.1}rem` }, h("label", { for: id }, label), input),
    below: kind === "peer" ? h("ul", { class: "peers", "data-testid": "peers", "aria-label": "Ids of the other tabs" }) : undefined,
    read: () => readers[kind](input.value, label),
  };
}

const readers = {
  text: (value, label) => {
    if (!value.trim()) throw new Error(`${label} is empty.`);
    return value;
  },
  peer: (value) => {
    if (!value.trim()) throw new Error("Client id is empty: paste the id another tab shows at the top.");
    return value.trim();
  },
  number: (value, label) => {
    const number = Number(value);
    if (!value.trim() || !Number.isFinite(number)) throw new Error(`${label} must be a number, such as 42 or -0.5.`);
    return number;
  },
  json: (value) => {
    let object;
    try {
      object = JSON.parse(value);
    } catch (problem) {
      throw new Error(`Object is not valid JSON: ${problem.message}`);
    }
    if (object === null || typeof object !== "object" || Array.isArray(object)) throw new Error('Object must be a JSON object, such as {"a": 1}.');
    return object;
  },
};

/** What the dots on the cards mean. */
function reachKey() {
  const dot = (kind, text) => h("li", {}, svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("circle", { class: kind, cx: 5, cy: 5, r: 4.25 })), text);
  return h("ul", { class: "reach-key", "aria-label": "What the dots mean" }, dot("heard me", "me"), dot("heard", "hears it"), dot("deaf", "does not"));
}

/** Four dots: me first, then the others. A filled dot hears the move. */
function reachOf({ dots, room = 0, joining }) {
  const at = (index) => 11 + index * 15 + (room && index >= room ? 6 : 0);
  const heard = dots.map((filled, index) => (filled ? (index === 0 ? "me" : `other ${index}`) : "")).filter(Boolean);
  const spoken = joining ? "I enter the room" : `Heard by ${heard.join(", ")}`;
  const width = at(dots.length - 1) + 5;
  return svg(
    "svg",
    { class: "reach", viewBox: `0 0 ${width} 22`, width, height: 22, role: "img" },
    svg("title", {}, spoken),
    room ? svg("rect", { class: "reach-room", x: 1.5, y: 1.5, width: at(room - 1) + 8, height: 19, rx: 9.5 }) : undefined,
    ...dots.map((filled, index) => {
      const kind = [filled ? "heard" : "deaf", index === 0 && "me", index === 0 && joining && "joining"].filter(Boolean).join(" ");
      return svg("circle", { class: kind, cx: at(index), cy: 11, r: 4.25 });
    }),
  );
}
