// Elements, announcements to screen readers, and small things about time that every view uses.

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "htmlFor", "tabIndex", "open", "indeterminate"]);

/** An element: el("button", {class: "quiet", onclick: go, "aria-label": "Go"}, "Go"). Children may be null. */
export function el(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (PROPERTIES.has(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

/** Have a screen reader say it when it has finished what it says now. */
export function announce(message) {
  const region = document.getElementById("announcements");
  if (region) region.textContent = region.textContent === message ? `${message}\u00a0` : message;
}

/** Call `work` once, so many milliseconds after the last call; `.now()` does not wait, `.cancel()` forgets it. */
export function debounced(work, milliseconds) {
  let timer;
  const later = (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), milliseconds);
  };
  later.now = (...given) => { clearTimeout(timer); return work(...given); };
  later.cancel = () => clearTimeout(timer);
  return later;
}

/** Run `work(signal, …)`, ending the run before it: an older answer never overwrites a newer one. */
export function latest(work) {
  let controller;
  const run = async (...given) => {
    controller?.abort();
    const own = controller = new AbortController();
    try {
      const answer = await work(own.signal, ...given);
      return own.signal.aborted ? undefined : answer;
    } catch (error) {
      if (!own.signal.aborted) throw error;
      return undefined;
    }
  };
  run.cancel = () => controller?.abort();
  return run;
}

export const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;
export const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** A bar that shows a share from 0 to 1; its text stands beside it, so screen readers pass it over. */
export function bar(share, kind = "") {
  const inner = el("span", { class: `fill ${kind}` });
  inner.style.setProperty("--share", Math.min(1, Math.max(0, share)));
  return el("span", { class: "meter", "aria-hidden": "true" }, inner);
}

export const wantsLessMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
