/** `h("p", { class: "x", "data-testid": "y" }, "text", child)` */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same, in the SVG namespace. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

export const byTestId = (id) => document.querySelector(`[data-testid="${id}"]`);

/** One line of JavaScript, with its strings, calls and keywords in colour. */
export function highlight(code) {
  const parts = code.split(/("[^"]*"|\bawait\b|\b\w+(?=\()|\b\d+\b)/);
  return parts.map((part, index) => {
    if (index % 2 === 0) return part;
    const kind = part.startsWith('"') ? "string" : part === "await" ? "keyword" : /^\d/.test(part) ? "number" : "call";
    return h("span", { class: `tok-${kind}` }, part);
  });
}

/** A value as a reader would write it, in colour. Text only, never markup. */
export function literal(value) {
  const text = print(value);
  const parts = text.split(/("(?:[^"\\]|\\.)*"\s*:?|-?\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b|\b(?:true|false|null)\b)/i);
  return parts.map((part, index) => {
    if (index % 2 === 0) return part;
    const kind = part.endsWith(":") ? "key" : part.startsWith('"') ? "string" : "number";
    return h("span", { class: `tok-${kind}` }, part);
  });
}

function print(value) {
  if (value === undefined) return "undefined";
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return printBytes(value);
  if (Array.isArray(value)) return `[${value.map(print).join(", ")}]`;
  if (value && typeof value === "object") {
    const pairs = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}: ${print(inner)}`);
    return pairs.length ? `{ ${pairs.join(", ")} }` : "{}";
  }
  return JSON.stringify(value);
}

function printBytes(value) {
  const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  const shown = Array.from(bytes.slice(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `<${bytes.length} bytes: ${shown}${bytes.length > 16 ? " …" : ""}>`;
}
