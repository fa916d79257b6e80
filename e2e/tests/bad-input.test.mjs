// Every case of bad-input/cases.mjs against what the reference answered.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { groups, run } from "../bad-input/cases.mjs";
import { Target, notYet, onReference } from "../lib/target.mjs";

const load = (name) => JSON.parse(readFileSync(new URL(`../bad-input/${name}`, import.meta.url), "utf8"));
const expected = load("expected.json");
const deviations = load("deviations.json");

/**
 * What may differ between two correct HTTP servers: Node.js frames a short answer in chunks where another
 * gives its length, and says `Connection: keep-alive` where HTTP/1.1 means it anyway.
 */
function comparable(value) {
  if (onReference) return value;
  if (Array.isArray(value)) return value.map(comparable);
  if (value === null || typeof value !== "object") return value;
  const { framing, ...rest } = value;
  if (rest.headers) {
    const { connection, ...headers } = rest.headers;
    rest.headers = connection === "keep-alive" ? headers : rest.headers;
  }
  return Object.fromEntries(Object.entries(rest).map(([key, inner]) => [key, comparable(inner)]));
}

for (const [group, { env, cases, needs }] of Object.entries(groups)) {
  describe(group, needs ? notYet(needs) : {}, () => {
    let target;
    before(async () => (target = await new Target(env).start()));
    after(() => target.stop());

    for (const [name, runCase] of Object.entries(cases)) {
      test(name, name.startsWith("JSONP") ? notYet("jsonp") : {}, async () => {
        const recorded = expected[group]?.[name];
        assert.notEqual(recorded, undefined, "not recorded yet: npm run record");
        const deviation = onReference ? undefined : deviations[group]?.[name];
        const seen = await run(runCase, target);
        assert.deepEqual(comparable(seen), comparable(deviation?.expected ?? recorded), deviation?.reason);
      });
    }
  });
}

test("every recorded case and every deviation is still a case", () => {
  for (const list of [expected, deviations]) {
    for (const [group, cases] of Object.entries(list)) {
      for (const name of Object.keys(cases)) assert.ok(groups[group]?.cases[name], `${group}: ${name}`);
    }
  }
});
