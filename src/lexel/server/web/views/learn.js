// The page for learners: what a CLIP model does, shown on this very model.

import { call, pictureURL } from "../core/api.js";
import { announce, el, percent, wantsLessMotion } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { fetchPicture } from "../core/pictures.js";

const PLAY_EVERY = 550; // milliseconds a moment of training is shown
const PAIRS_NOW = 8; // of the batch that is shown where no training is at hand

export async function show(content, facts) {
  let stopPlaying = () => {};
  content.append(
    el("h1", {}, "How this works"),
    el("p", { class: "lead" }, "A CLIP model has two halves. One turns a picture into a list of numbers, the other a sentence. Training makes the two lists alike when picture and sentence belong together. That is all; naming, searching and drawing games follow from it."),
    el("ol", { class: "steps-of-clip" },
      step("1", "A picture becomes a point", `${facts.model.name} turns any picture into ${facts.model.dimensions} numbers: a direction in a space of ${facts.model.dimensions} dimensions.`),
      step("2", "So does a sentence", "A sentence becomes a direction in the same space. How small the angle between the two is, the cosine says: 1 is the same direction, 0 a right angle."),
      step("3", "Belonging together is nearness", "Of some sentences the one with the largest cosine is the model's answer. No list of labels is built in: any sentence will do.")));
  const batch = el("section", { class: "card learn-batch" });
  content.append(batch);
  if (facts.has_growth) await showGrowth(batch, stop => { stopPlaying = stop; });
  else await showNow(batch);
  content.append(
    el("section", { class: "learn-next" },
      link("#/playground", "play", "Try it", "Pictures that the model never saw, and any words that you think of."),
      link("#/map", "map", "See the space", "Every picture where its numbers put it, on two dimensions instead of the many."),
      link("#/draw", "draw", "Play with it", "Draw what a sentence says, and watch the model find it."),
      facts.library ? link("#/search", "search", "Use it", "Find photos by words, by pictures, or by both.") : null));
  return { go() {}, leave() { stopPlaying(); } };
}

const step = (number, title, text) => el("li", { class: "card" }, el("span", { class: "number", "aria-hidden": "true" }, number), el("div", {}, el("h2", {}, title), el("p", {}, text)));
const link = (href, name, title, text) => el("a", { class: "card", href }, icon(name), el("span", {}, el("b", {}, title), el("span", {}, text)));

/** The matrix at each moment of training that was written down, with a slider over them. */
async function showGrowth(section, onPlay) {
  const growth = await call("page/growth");
  const last = growth.steps.length - 1;
  const table = matrixTable(growth.captions, growth.pictures.map((address, index) => el("img", { src: address, alt: `picture of: ${growth.captions[index]}`, width: 44, height: 44 })));
  const slider = el("input", { type: "range", id: "moment", min: 0, max: last, step: 1 });
  slider.value = last;
  const shown = el("output", { for: "moment" });
  const told = el("p", { class: "told" });
  const play = el("button", { type: "button", class: "main", onclick: toggle });
  let timer = null;

  function draw() {
    const moment = Number(slider.value);
    const { right, chance } = table.show(growth.cosines[moment], growth.logit_scales[moment]);
    shown.textContent = growth.steps[moment] === 0 ? "before the first step" : `after ${growth.steps[moment].toLocaleString("en")} of ${growth.steps[last].toLocaleString("en")} steps`;
    slider.setAttribute("aria-valuetext", `${shown.textContent}: ${right} of ${growth.captions.length} pictures choose their own caption`);
    told.replaceChildren(el("b", {}, `${right} of ${growth.captions.length}`), ` pictures give their own caption the largest share; guessing would be right about ${chance} time. `, meaning(moment, right));
  }

  function meaning(moment, right) {
    if (growth.steps[moment] === 0) return "The numbers are random at first, so every row looks much the same.";
    if (right < growth.captions.length * 0.5) return "Coarse things come first: whole columns and blocks light up together, before single cells do.";
    if (right < growth.captions.length) return "The diagonal shows: most pictures know their sentence. Where two rows are confused, look at the pictures: they are alike.";
    return "The diagonal is lit: each picture chooses its own sentence, and it has learned from none of these.";
  }

  function toggle() {
    if (timer) { stop(); return; }
    if (Number(slider.value) === last) slider.value = 0;
    draw();
    timer = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      draw();
      if (Number(slider.value) === last) { stop(); announce(told.textContent); }
    }, PLAY_EVERY);
    label();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    label();
  }

  const label = () => play.replaceChildren(icon(timer ? "close" : "right"), timer ? "Stop" : "Play the training");

  slider.addEventListener("input", () => { stop(); draw(); });
  label();
  onPlay(stop);
  section.append(
    el("h2", {}, "Watch the model learn"),
    el("p", {}, `These are ${growth.captions.length} pictures (rows) and their ${growth.captions.length} captions (columns), kept from training. Each cell is the share that the picture gives to the caption. Training does one thing only: it pushes the diagonal up and everything else down. Move the slider to go through the training of this model.`),
    el("div", { class: "scrub" }, play, el("div", { class: "scrub-slider" }, el("label", { for: "moment" }, "Moment of training"), slider), shown),
    told, table.element);
  draw();
  if (!wantsLessMotion()) requestAnimationFrame(draw);
}

/** Where no training is at hand: the same matrix, for sample pictures, as the model sees them now. */
async function showNow(section) {
  section.append(el("h2", {}, "A batch, as the model sees it"));
  const samples = await call("page/samples");
  const chosen = samples.pictures.filter(one => one.caption).slice(0, PAIRS_NOW);
  const captions = [...new Set(chosen.map(one => one.caption))];
  if (captions.length < 2) {
    section.append(el("p", {}, "These pictures have no captions. In the playground you can write some, and see the matrix of pictures and texts."));
    return;
  }
  const pairs = captions.map(caption => chosen.find(one => one.caption === caption));
  const pictures = await Promise.all(pairs.map(async one => fetchPicture(await pictureURL(one.url), one.name)));
  const answer = await call("v1/similarity", { body: { images: pictures.map(one => one.url), texts: captions } });
  const table = matrixTable(captions, pictures.map((one, index) => el("img", { src: one.url, alt: `picture of: ${captions[index]}`, width: 44, height: 44 })));
  const { right } = table.show(answer.cosines, answer.logit_scale);
  section.append(
    el("p", {}, "Each row is a picture, each column a caption; a cell is the share that the picture gives to the caption. Training does one thing only: of many such batches it pushes the diagonal up, where picture and caption belong together, and everything else down."),
    el("p", { class: "told" }, el("b", {}, `${right} of ${captions.length}`), " pictures choose their own caption."),
    table.element,
    el("p", { class: "note" }, "Of a model that was trained here, as by “lexel demo”, this page also shows how the matrix lit up during training."));
}

/** A table whose cells are drawn again by `show(cosines, scale)`, which also counts the pictures that are right. */
function matrixTable(captions, images) {
  const cells = images.map(() => captions.map(() => el("td", {})));
  const element = el("div", { class: "matrix-frame", tabindex: "0", role: "region", "aria-label": "Pictures and captions" },
    el("table", { class: "matrix growth" },
      el("thead", {}, el("tr", {}, el("td", {}), captions.map(caption => el("th", { scope: "col" }, el("span", {}, caption))))),
      el("tbody", {}, images.map((image, row) => el("tr", {}, el("th", { scope: "row" }, image), cells[row])))));

  function show(cosines, scale) {
    let right = 0;
    cosines.forEach((row, index) => {
      const largest = Math.max(...row);
      const weights = row.map(value => Math.exp(scale * (value - largest)));
      const total = weights.reduce((sum, one) => sum + one, 0);
      if (row.indexOf(largest) === index) right++;
      weights.forEach((weight, column) => {
        const share = weight / total, cell = cells[index][column];
        cell.style.setProperty("--share", share);
        cell.textContent = share >= 0.095 ? percent(share) : "";
        cell.className = column === index ? "own" : "";
        cell.title = `${captions[column]}: ${percent(share, 1)}, cosine ${row[column].toFixed(2)}`;
      });
    });
    return { right, chance: 1 };
  }
  return { element, show };
}
