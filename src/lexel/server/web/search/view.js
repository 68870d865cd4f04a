// The search page: what is asked stands in the address, so that Back, Forward and bookmarks work.

import { call, pictureURL } from "../core/api.js";
import { announce, count, debounced, el, latest } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { takePictures } from "../core/pictures.js";
import { searchField } from "./field.js";
import { searchFilters } from "./filters.js";
import { photoGrid } from "./grid.js";
import { photoView } from "./photo.js";
import { isEmpty, nameOf, photoPart, readQuery, searchBody, writeQuery } from "./query.js";

const TYPING_PAUSE = 140; // milliseconds

export function show(content, facts, parameters) {
  const query = readQuery(parameters);
  const summary = el("p", { class: "summary", id: "hint" });
  const notice = el("div", { class: "notices" });
  const thumbnailOf = id => pictureURL(`v1/photos/${id}/thumbnail`);
  let isAtEnd = false;
  let isLoading = false;
  let offset = 0; // of the next page
  let opened = 0; // the place of the photo that is shown large

  const field = searchField(query, {
    thumbnailOf, problem: complain, toGrid: () => grid.focus(),
    changed: isTyping => { isTyping ? searchSoon() : searchSoon.now(true); },
  });
  const filters = searchFilters(query, () => searchSoon.now(true));
  const grid = photoGrid({ open: openAt, more: loadMore, toField: () => field.input.focus(), isJudged });
  const photo = photoView({ step, alike, closed });
  const filterButton = el("button", {
    type: "button", class: "filter-button", "aria-expanded": "false", "aria-controls": "filters",
    onclick: () => showFilters(filters.element.hidden),
  }, icon("filter"), el("span", {}, "Filters"));

  /** Whether matches tell how well a photo fits what is asked: they are of words alone. */
  function isJudged() {
    return query.parts.every(part => part.kind === "text");
  }

  const ask = latest((signal, offset) => call("v1/search", { body: searchBody(query, offset), signal }));
  const searchSoon = debounced(search, TYPING_PAUSE);

  async function search(isStep = false) {
    remember(isStep, photo.id);
    isAtEnd = false;
    isLoading = true;
    content.setAttribute("aria-busy", "true");
    try {
      const answer = await ask(0);
      if (!answer) return;
      isLoading = false;
      notice.replaceChildren();
      grid.clear();
      take(answer);
      summarize(answer.hits);
    } catch (error) {
      isLoading = false;
      grid.clear();
      summary.textContent = "";
      complain(error.message);
    } finally {
      if (!isLoading) content.removeAttribute("aria-busy");
    }
  }

  async function loadMore() {
    if (isLoading || isAtEnd || !grid.hits.length) return;
    isLoading = true;
    grid.busy();
    try {
      const answer = await ask(offset);
      if (!answer) return; // another search has begun, and says itself when it is done
      isLoading = false;
      take(answer);
    } catch (error) {
      isLoading = false;
      isAtEnd = true;
      complain(error.message);
    }
  }

  function take({ hits, next_offset: next }) {
    const known = new Set(grid.hits.map(hit => hit.id)); // a library may change between two pages
    isAtEnd = next === null;
    offset = next ?? offset;
    grid.add(hits.filter(hit => !known.has(hit.id)));
  }

  function summarize(hits) {
    const fitting = hits.filter(hit => hit.strength && hit.strength !== "unlikely").length;
    const judged = isJudged() && hits.some(hit => hit.strength);
    let told;
    if (!hits.length) told = query.filters.least ? "Nothing fits. Show all to see the nearest." : "Nothing found.";
    else if (isEmpty(query)) told = `${count(facts.library.photos, "photo")}, the newest first. Type what you want to see.`;
    else if (!judged) told = `The nearest first.`;
    else if (!fitting) told = "Nothing fits well: these are only the nearest.";
    else if (fitting === hits.length) told = `${fitting} or more fit, the best first.`;
    else told = `${count(fitting, "photo fits", "photos fit")}, the best first.`;
    summary.textContent = told;
    announce(told);
  }

  function complain(message) {
    notice.replaceChildren(el("p", { class: "notice", role: "alert" }, message));
  }

  /** Put the query into the address: as a step that Back undoes, or in place of the last one while one types. */
  function remember(isStep, photoId = null) {
    const written = writeQuery(query);
    if (photoId !== null) written.set("photo", photoId);
    const rest = written.toString();
    const address = `#/search${rest ? `?${rest}` : ""}`;
    if (address === location.hash || (!rest && !location.hash)) return;
    history[isStep ? "pushState" : "replaceState"](null, "", address);
  }

  function openAt(index) {
    opened = index;
    const hit = grid.hits[index];
    remember(true, hit.id);
    photo.open(hit.id, nameOf(hit));
  }

  function step(by) {
    const index = grid.hits.findIndex(hit => hit.id === photo.id) + by;
    if (index < 0 || index >= grid.hits.length) return;
    if (index >= grid.hits.length - 8) loadMore();
    const hit = grid.hits[index];
    opened = index;
    remember(false, hit.id);
    photo.open(hit.id, nameOf(hit));
  }

  function alike({ id, name }, sign, isAdded) {
    if (!isAdded) Object.assign(query, { text: "", parts: [] });
    query.parts.push(photoPart(id, name, sign));
    redraw();
    search(true);
    window.scrollTo(0, 0);
    field.input.focus();
  }

  function closed(isLeaving) {
    if (isLeaving) return;
    remember(false);
    grid.focus(opened);
  }

  function redraw() {
    field.draw();
    filters.draw();
    const active = Object.keys(query.filters).length;
    filterButton.lastElementChild.textContent = active ? `Filters (${active})` : "Filters";
  }

  function showFilters(isShown) {
    filters.element.hidden = !isShown;
    filterButton.setAttribute("aria-expanded", isShown);
    if (isShown) filters.element.querySelector("select").focus();
  }

  /** Follow the address, after Back or Forward. */
  function go(asked) {
    const wanted = readQuery(asked);
    const wantedPhoto = asked.get("photo");
    if (writeQuery(wanted).toString() !== writeQuery(query).toString()) {
      Object.assign(query, wanted);
      redraw();
      search();
    }
    if (wantedPhoto && photo.id !== Number(wantedPhoto)) photo.open(Number(wantedPhoto));
    else if (!wantedPhoto) photo.close();
  }

  function keys(event) {
    const isTyping = event.target.closest("input, select, textarea, dialog");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      field.input.focus();
      field.input.select();
    }
  }

  content.append(
    el("h1", { class: "unseen" }, "Search"),
    el("form", { class: "ask", role: "search", onsubmit: event => event.preventDefault() }, field.element, filterButton),
    filters.element, notice, summary, ...grid.elements, photo.element);
  filters.element.hidden = !Object.keys(query.filters).length;
  filterButton.setAttribute("aria-expanded", !filters.element.hidden);
  redraw();
  document.addEventListener("keydown", keys);
  const stopTaking = takePictures(field.element, field.add, complain);
  const first = parameters.get("photo");
  if (first) photo.open(Number(first));
  search();
  if (matchMedia("(pointer: fine)").matches && !first) field.input.focus();
  return {
    go,
    leave() {
      stopTaking();
      searchSoon.cancel();
      ask.cancel();
      grid.stop();
      document.removeEventListener("keydown", keys);
    },
  };
}
