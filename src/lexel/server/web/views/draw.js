// The drawing game: a prompt, a minute, and a score that moves with each stroke.

import { call } from "../core/api.js";
import { announce, bar, debounced, el, latest, percent } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { drawingBoard } from "./board.js";

const SECONDS = 90;
const SCORE_PAUSE = 260; // milliseconds after a stroke
const NAME = "lexel-player", RANKINGS = "lexel-rankings"; // in the browser's storage
const KEPT = 10; // players of a prompt

export async function show(content) {
  content.append(el("p", { class: "waiting" }, "The judge is getting ready …"));
  const { prompts, knows_writing: knowsWriting } = await call("page/drawing");
  content.replaceChildren();
  let prompt = "", left = SECONDS, timer = null, isOver = false, best = null;
  const order = shuffled(prompts);

  const asked = el("p", { class: "prompt", "aria-live": "polite" });
  const clock = el("p", { class: "clock", role: "timer", "aria-label": "Seconds left" });
  const points = el("output", { class: "points", "aria-label": "Points" }, "0");
  const gauge = bar(0);
  const fill = gauge.firstChild;
  const verdict = el("p", { class: "verdict" });
  const guesses = el("ul", { class: "bars" });
  const problem = el("div");
  const ranking = el("ol", { class: "ranking", "aria-label": "The best drawings of this prompt" });
  const name = el("input", { type: "text", id: "player", maxlength: 24, autocomplete: "nickname", value: localStorage.getItem(NAME) ?? "" });
  const enter = el("form", { class: "enter row", hidden: true, onsubmit: takePart }, el("label", { for: "player" }, "Your name"), name, el("button", { class: "main" }, "Into the ranking"));
  const done = el("button", { type: "button", class: "main", onclick: finish }, "Done");
  const next = el("button", { type: "button", onclick: begin }, icon("right"), "Another prompt");
  const board = drawingBoard(() => { start(); score(); });

  const ask = latest((signal, body) => call("page/drawing/score", { body, signal }));
  const score = debounced(async () => {
    try {
      const answer = await ask({ prompt, image: board.picture() });
      if (answer) showVerdict(answer);
      return answer;
    } catch (error) {
      problem.replaceChildren(el("p", { class: "notice", role: "alert" }, error.message));
      return undefined;
    }
  }, SCORE_PAUSE);

  function showVerdict(answer) {
    best = answer;
    problem.replaceChildren();
    points.textContent = answer.points;
    fill.style.setProperty("--share", answer.points / 100);
    fill.className = `fill ${answer.points >= 60 ? "strong" : ""}`;
    verdict.className = `verdict ${answer.is_writing ? "warns" : ""}`;
    verdict.textContent = inWords(answer);
    guesses.replaceChildren(...answer.guesses.map(guess => el("li", { class: guess.text === prompt ? "strong" : "" },
      el("span", { class: "text" }, guess.text), bar(guess.probability, guess.text === prompt ? "strong" : ""), el("span", { class: "number" }, percent(guess.probability)))));
  }

  function inWords({ guesses: found, is_writing: isWriting, writing, place, probability }) {
    if (!found.length) return "The board is empty.";
    if (isWriting) return `This looks written, not drawn (${percent(writing)}). Writing wins no points.`;
    if (place === 1) return probability > 0.5 ? "The model sees it." : "The model thinks of it first, but is not sure.";
    return `The model thinks of ${place === 2 ? "one other prompt" : `${place - 1} other prompts`} first.`;
  }

  function showRanking(entries) {
    ranking.replaceChildren(...entries.map(entry => el("li", {}, el("span", { class: "name" }, entry.name), el("b", {}, String(entry.points)))));
    ranking.parentElement.hidden = !entries.length;
  }

  function begin() {
    stopClock();
    order.push(prompt = order.shift());
    left = SECONDS;
    isOver = false;
    best = null;
    board.reset();
    asked.textContent = prompt;
    points.textContent = "0";
    fill.style.setProperty("--share", 0);
    verdict.className = "verdict";
    verdict.textContent = "The clock starts with your first stroke.";
    guesses.replaceChildren();
    problem.replaceChildren();
    enter.hidden = true;
    done.hidden = false;
    showClock();
    showRanking(rankingOf(prompt));
  }

  function start() {
    if (timer || isOver) return;
    timer = setInterval(() => {
      left -= 1;
      showClock();
      if (left === 10) announce("10 seconds left");
      if (left <= 0) finish();
    }, 1000);
  }

  function stopClock() {
    clearInterval(timer);
    timer = null;
  }

  function showClock() {
    clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    clock.classList.toggle("is-short", left <= 10);
  }

  async function finish() {
    if (isOver) return;
    isOver = true;
    stopClock();
    board.lock();
    done.hidden = true;
    score.cancel();
    const answer = board.isEmpty ? null : await score.now();
    const won = answer?.points ?? best?.points ?? 0;
    enter.hidden = !won;
    announce(`${won} points. ${verdict.textContent}`);
    (won ? name : next).focus({ preventScroll: true });
  }

  function takePart(event) {
    event.preventDefault();
    const player = name.value.trim() || "somebody";
    localStorage.setItem(NAME, player);
    const ranked = enterRanking(prompt, player, best.points);
    showRanking(ranked);
    enter.hidden = true;
    const place = ranked.findIndex(entry => entry.name === player) + 1;
    announce(place ? `${player} is number ${place} of this prompt.` : "Others were better.");
    next.focus({ preventScroll: true });
  }

  content.append(
    el("h1", {}, "Draw"),
    el("div", { class: "game" },
      el("section", { class: "sheet", "aria-label": "Drawing" },
        el("div", { class: "task card" }, el("div", {}, el("p", { class: "eyebrow" }, "Draw"), asked), clock),
        board.element, board.tools),
      el("section", { class: "card judged", "aria-label": "What the judge says" },
        el("div", { class: "row tally" }, points, el("span", { class: "of" }, "of 100 points")), gauge, verdict, problem,
        el("div", { class: "row" }, done, next), enter,
        el("h3", {}, "What the model thinks of"), guesses,
        el("div", { hidden: true }, el("h3", {}, "Best drawings of this prompt, on this machine"), ranking),
        el("p", { class: "note" }, `The points are the root of the probability that the model picks this prompt among all ${prompts.length}. ${knowsWriting ? "Write the words instead of drawing, and the judge takes the points away." : "This model does not know writing, so writing the words does not help."}`))));
  begin();
  return { go() {}, leave() { stopClock(); score.cancel(); ask.cancel(); } };
}

/** The players of a prompt on this machine, the best first. */
function rankingOf(prompt) {
  try {
    return JSON.parse(localStorage.getItem(RANKINGS) ?? "{}")[prompt] ?? [];
  } catch {
    return []; // what another program has left there
  }
}

/** Enter a player's points; of several drawings of one prompt a player's best counts. */
function enterRanking(prompt, player, points) {
  const others = rankingOf(prompt).filter(entry => entry.name !== player);
  const before = rankingOf(prompt).find(entry => entry.name === player)?.points ?? 0;
  const ranked = [...others, { name: player, points: Math.max(points, before) }].sort((a, b) => b.points - a.points).slice(0, KEPT);
  let all = {};
  try {
    all = JSON.parse(localStorage.getItem(RANKINGS) ?? "{}");
  } catch { /* begun again */ }
  localStorage.setItem(RANKINGS, JSON.stringify({ ...all, [prompt]: ranked }));
  return ranked;
}

function shuffled(list) {
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i--) {
    const other = Math.floor(Math.random() * (i + 1));
    [copy[i], copy[other]] = [copy[other], copy[i]];
  }
  return copy;
}
