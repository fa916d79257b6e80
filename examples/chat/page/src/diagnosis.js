// A browser tells a page very little about a failed request: a server that is
// down and a server that refuses this origin are both "xhr poll error". This
// finds out which it was, and puts it into words.

/**
 * @param {Error & { data?: unknown, description?: unknown }} error from `connect_error`
 * @param {{ url: string, refused: boolean }} context `refused`: the client has given up by itself
 * @returns {Promise<{ kind: string, title: string, hint: string }>}
 */
export async function diagnose(error, { url, refused }) {
  if (refused) {
    return {
      kind: "refused",
      title: "The server turned this client away",
      hint: "Its middleware said no, so the client will not try again by itself. Check what it asks for (a token, a name) and connect again.",
    };
  }

  const status = typeof error.description === "number" ? error.description : 0;
  if (status >= 400) {
    return {
      kind: "http",
      title: `The server answered ${status}`,
      hint: `Something is listening at \`${url}\`, but it does not seem to be a Socket.IO server of protocol 5 (client 3 or 4). Is \`VITE_SERVER_URL\` right?`,
    };
  }

  if (error.message === "timeout") {
    return {
      kind: "timeout",
      title: "The server does not answer in time",
      hint: `A connection to \`${url}\` was opened, but the handshake did not come back.`,
    };
  }

  if (await answers(url)) {
    return {
      kind: "origin",
      title: "The server does not accept this page’s origin",
      hint: `It is running at \`${url}\`, but does not let the browser show its answers to \`${location.origin}\`. Start the server with \`ORIGIN=${location.origin}\`, or open the page from the origin it expects.`,
    };
  }

  return {
    kind: "down",
    title: "The server cannot be reached",
    hint: `Nothing answers at \`${url}\`. Start it with \`cargo run -p chat\`. If it runs elsewhere, set \`VITE_SERVER_URL\` and start the page again.`,
  };
}

/**
 * Whether anything at all answers there. In `no-cors` mode the answer stays
 * unreadable whoever may read it, but the promise tells an answer from none.
 * Without a `transport` the server opens no session for it.
 */
async function answers(url) {
  try {
    await fetch(new URL("/socket.io/?EIO=4", url), { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(3000) });
    return true;
  } catch {
    return false;
  }
}
