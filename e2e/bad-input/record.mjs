// Writes expected.json: what the reference answers to every case. Run as `npm run record`.
//
// Each case is run three times; one whose answers differ is not fit to be expected, and ends the run.

import { writeFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

process.env.TARGET = "reference";
const { Target } = await import("../lib/target.mjs");
const { groups, run } = await import("./cases.mjs");

const expected = {};
let unsteady = 0;
for (const [group, { env, cases }] of Object.entries(groups)) {
  const target = await new Target(env).start();
  expected[group] = {};
  for (const [name, runCase] of Object.entries(cases)) {
    const answers = [];
    for (let i = 0; i < 3; i++) {
      answers.push(await run(runCase, target).catch((error) => `failed: ${error.message}`));
    }
    const odd = answers.find((answer) => !isDeepStrictEqual(answer, answers[0]) || `${answer}`.startsWith("failed"));
    if (odd !== undefined) {
      unsteady += 1;
      console.error(`${group}: ${name}\n`, JSON.stringify(answers, null, 1));
    }
    expected[group][name] = answers[0];
  }
  await target.stop();
}
if (unsteady > 0) {
  console.error(`${unsteady} cases are not steady; nothing was written`);
  process.exit(1);
}
writeFileSync(new URL("expected.json", import.meta.url), `${JSON.stringify(expected, null, 1)}\n`);
console.log(`${Object.values(expected).flatMap(Object.keys).length} cases written`);
process.exit(0);
