// Requests to the server that this page came from. Paths are relative, so the page also works below a proxy's path.

const BASE = new URL(".", document.baseURI);
const KEY = "lexel-key";
const TRIES_WHEN_BUSY = 3;

/** What went wrong, in a sentence to be shown. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const url = path => new URL(path, BASE).href;

/** GET, or POST where there is a body; the JSON of the answer. Throws ApiError, or AbortError when `signal` ends it. */
export async function call(path, { body, method, signal } = {}) {
  for (let attempt = 1; ; attempt++) {
    const response = await answer(path, { body, method, signal });
    if (response.status === 429 && attempt < TRIES_WHEN_BUSY) {
      await pause(1000 * Math.min(5, Number(response.headers.get("Retry-After")) || 1), signal);
      continue;
    }
    if (!response.ok) throw new ApiError(response.status, await reason(response));
    return response.status === 204 ? null : response.json();
  }
}

/** The address of a picture that an <img> may load: itself, or fetched with the key where the server asks for one. */
export async function pictureURL(path) {
  if (!key()) return url(path);
  const response = await fetch(url(path), { headers: headers() });
  if (!response.ok) throw new ApiError(response.status, await reason(response));
  return URL.createObjectURL(await response.blob());
}

export const key = () => sessionStorage.getItem(KEY);
export const rememberKey = given => sessionStorage.setItem(KEY, given);

function headers(body) {
  const given = body === undefined ? {} : { "Content-Type": "application/json" };
  if (key()) given.Authorization = `Bearer ${key()}`;
  return given;
}

async function answer(path, { body, method, signal }) {
  try {
    return await fetch(url(path), {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: headers(body),
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer. Is “lexel serve” still running?");
  }
}

async function reason(response) {
  const problem = await response.json().catch(() => null);
  const told = problem?.detail ?? problem?.title ?? problem?.error?.message;
  return typeof told === "string" ? told : `The server answered with the status ${response.status}.`;
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}
