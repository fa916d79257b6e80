// Waiting for conditions. A fixed pause is only for showing that something does not happen.

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Rejects with `what` if the promise takes longer than `ms`. */
export function within(promise, what, ms = 5_000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The arguments of the emitter's next `name` event. Listen before causing it. */
export function once(emitter, name, ms = 5_000) {
  return within(new Promise((resolve) => emitter.once(name, (...args) => resolve(args))), `event "${name}"`, ms);
}

/** Polls until `check` gives something truthy, and returns it. */
export async function eventually(check, what, ms = 5_000) {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${ms} ms`);
    await pause(10);
  }
}
