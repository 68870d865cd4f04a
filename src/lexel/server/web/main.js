// The page: which view is shown, by the part of its address after “#”, and what every view shares.

import { call, ApiError, key, rememberKey } from "./core/api.js";
import { announce, count, el } from "./core/dom.js";
import { icon } from "./core/icons.js";

const VIEWS = [
  { name: "search", title: "Search", needsLibrary: true, load: () => import("./search/view.js") },
  { name: "playground", title: "Playground", icon: "play", load: () => import("./views/playground.js") },
  { name: "map", title: "Map", load: () => import("./views/map.js") },
  { name: "draw", title: "Draw", load: () => import("./views/draw.js") },
  { name: "learn", title: "Learn", load: () => import("./views/learn.js") },
];
const THEMES = { auto: "as the system", light: "light", dark: "dark" };

const content = document.getElementById("content");
let facts;
let open = null; // the view that is shown: {view, leave, go}

/** The address after “#” as the name of a view and its parameters. */
function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { name: path, parameters: new URLSearchParams(query) };
}

function offered() {
  return VIEWS.filter(view => facts.library || !view.needsLibrary);
}

async function route() {
  const { name, parameters } = place();
  if (location.hash && !location.hash.startsWith("#/")) return; // a link within the page
  const views = offered();
  const view = views.find(one => one.name === name) ?? views[0];
  if (open?.view === view) {
    open.go(parameters);
    return;
  }
  open?.leave();
  open = { view, leave() {}, go() {} };
  document.title = `${view.title} · Lexel`;
  for (const link of document.querySelectorAll("#views a")) {
    if (link.dataset.view === view.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  content.replaceChildren(el("p", { class: "waiting" }, "Loading…"));
  try {
    const { show } = await view.load();
    if (open.view !== view) return;
    content.replaceChildren();
    content.className = `view-${view.name}`;
    window.scrollTo(0, 0);
    Object.assign(open, await show(content, facts, parameters));
    announce(`${view.title}.`);
  } catch (error) {
    content.replaceChildren(problem(error));
  }
}

function problem(error) {
  if (!(error instanceof ApiError)) console.error(error);
  return el("p", { class: "notice", role: "alert" }, error.message);
}

function showViews() {
  const links = offered().map(view =>
    el("li", {}, el("a", { href: `#/${view.name}`, data: { view: view.name } }, icon(view.icon ?? view.name), el("span", {}, view.title))));
  document.getElementById("views").replaceChildren(...links);
  const about = facts.library ? `${count(facts.library.photos, "photo")} · ${facts.model.name}` : facts.model.name;
  document.getElementById("facts").textContent = about;
}

function useTheme(theme) {
  if (theme === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  button.replaceChildren(icon(theme));
  button.setAttribute("aria-label", `Colours: ${THEMES[theme]}`);
  button.title = `Colours: ${THEMES[theme]}`;
}

function nextTheme() {
  const names = Object.keys(THEMES);
  const theme = names[(names.indexOf(localStorage.getItem("lexel-theme") ?? "auto") + 1) % names.length];
  localStorage.setItem("lexel-theme", theme);
  useTheme(theme);
  announce(`Colours: ${THEMES[theme]}`);
}

/** Ask for the server's key until it is the right one. */
function askForKey() {
  return new Promise(resolve => {
    const field = el("input", { type: "password", name: "key", autocomplete: "off", required: true, "aria-label": "Key" });
    const wrong = key() ? el("p", { role: "alert" }, "That key was not accepted.") : null;
    content.replaceChildren(el("form", {
      class: "key", onsubmit(event) { event.preventDefault(); rememberKey(field.value); resolve(); },
    }, el("h1", {}, "This server asks for a key"), wrong, field, el("button", { class: "main" }, "Go on")));
    field.focus();
  });
}

async function begin() {
  useTheme(localStorage.getItem("lexel-theme") ?? "auto");
  document.getElementById("theme").addEventListener("click", nextTheme);
  document.querySelector(".skip").addEventListener("click", event => { event.preventDefault(); content.focus(); });
  for (;;) {
    try {
      facts = await call("page/facts");
      break;
    } catch (error) {
      if (error.status !== 401) {
        content.replaceChildren(problem(error), el("button", { type: "button", class: "main", onclick: () => location.reload() }, "Try again"));
        return;
      }
      await askForKey();
    }
  }
  showViews();
  addEventListener("hashchange", route);
  await route();
}

begin();
