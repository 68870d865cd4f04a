// The playground: a picture and any labels, with probabilities that move as one types; and pictures against texts.

import { call, pictureURL } from "../core/api.js";
import { announce, bar, debounced, el, latest, percent } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { chooseButton, fetchPicture, takePictures } from "../core/pictures.js";
import { similarityMatrix } from "./matrix.js";

const TYPING_PAUSE = 160; // milliseconds
const MAX_LABELS = 200;
const FIRST_LABELS = ["a cat", "a dog", "a landscape", "people", "food", "a diagram"];

export async function show(content, facts) {
  const samples = await call("page/samples");
  let picture = null;

  const problem = el("div", { class: "notices" });
  const complain = message => problem.replaceChildren(el("p", { class: "notice", role: "alert" }, message));
  const image = el("img", { alt: "", class: "shown" });
  const choose = el("button", { type: "button", class: "main" }, icon("picture"), "Choose a picture");
  const drop = el("div", { class: "drop" }, image, el("p", { class: "invitation" }, "Drop or paste a picture here"));
  const labels = el("textarea", { id: "labels", rows: 7, spellcheck: "true", "aria-describedby": "labels-hint" });
  const templates = el("select", { id: "templates" },
    Object.keys(facts.templates).map(name => el("option", { value: name }, name)), el("option", { value: "" }, "my own"));
  const own = el("input", { type: "text", id: "own-template", value: "a photo of a {}, at night", "aria-label": "A sentence with {} for the label" });
  const sentences = el("p", { class: "note" });
  const answers = el("ol", { class: "bars answers", "aria-label": "Labels, the most probable first" });
  const scale = el("p", { class: "note" });

  const ask = latest((signal, body) => call("v1/classify", { body, signal }));
  const classify = debounced(async () => {
    const asked = [...new Set(labels.value.split(/\n/).map(line => line.trim()).filter(Boolean))].slice(0, MAX_LABELS);
    showTemplates();
    if (!picture || !asked.length) {
      answers.replaceChildren();
      scale.textContent = picture ? "Type a label." : "";
      return;
    }
    try {
      const answer = await ask({ image: picture.url, labels: asked, templates: templates.value || [own.value] });
      if (!answer) return;
      problem.replaceChildren();
      showAnswers(answer);
    } catch (error) {
      complain(error.message);
    }
  }, TYPING_PAUSE);

  function showTemplates() {
    own.hidden = templates.value !== "";
    const shown = facts.templates[templates.value] ?? [own.value];
    const label = labels.value.split("\n").find(line => line.trim())?.trim() ?? "label";
    sentences.textContent = `The model reads: ${shown.slice(0, 3).map(one => `“${one.replace("{}", label)}”`).join(", ")}${shown.length > 3 ? ` and ${shown.length - 3} more, and takes their mean` : ""}.`;
  }

  /** Bars keep their place in the document by label, so that they grow and shrink instead of jumping. */
  function showAnswers({ labels: found, logit_scale: factor }) {
    const rows = new Map([...answers.children].map(row => [row.dataset.label, row]));
    answers.replaceChildren(...found.map(one => {
      const row = rows.get(one.label) ?? el("li", { data: { label: one.label } }, el("span", { class: "text" }, one.label), bar(0), el("span", { class: "number" }));
      row.querySelector(".number").textContent = percent(one.probability, one.probability < 0.1 ? 1 : 0);
      row.title = `cosine ${one.cosine.toFixed(3)}, match ${percent(one.match)}`;
      requestAnimationFrame(() => row.querySelector(".fill").style.setProperty("--share", one.probability));
      return row;
    }));
    const [best] = found;
    scale.replaceChildren(
      "The shares compare these labels only. Whether the best one fits at all is another question: its match is ",
      el("b", {}, percent(best.match)), `, its cosine ${best.cosine.toFixed(3)}. Cosines are multiplied by ${factor.toFixed(1)}, which the model learned, before they become shares.`);
    announce(`${best.label}: ${percent(best.probability)}`);
  }

  function use(given) {
    picture = given;
    image.src = given.url;
    image.alt = given.name;
    drop.classList.add("has-picture");
    for (const button of shelf.querySelectorAll("button")) button.setAttribute("aria-pressed", button.dataset.name === given.name);
    announce(`Picture: ${given.name}`);
    classify.now();
  }

  function take(pictures) {
    use(pictures[0]);
    for (const one of pictures) matrix.addPicture(one);
  }

  const shelf = el("ul", { class: "shelf", "aria-label": "Sample pictures" }, samples.pictures.map(sample => {
    const thumbnail = el("img", { alt: "", loading: "lazy", width: 72, height: 72 });
    pictureURL(sample.url).then(address => { thumbnail.src = address; }, () => {});
    const button = el("button", {
      type: "button", "aria-pressed": "false", "aria-label": sample.caption ?? sample.name, title: sample.caption ?? sample.name, data: { name: sample.name },
      onclick: () => useSample(sample),
    }, thumbnail);
    return el("li", {}, button);
  }));

  async function useSample(sample) {
    try {
      use(await fetchPicture(await pictureURL(sample.url), sample.name));
    } catch (error) {
      complain(error.message);
    }
  }

  const matrix = similarityMatrix(samples, complain);
  labels.value = (samples.words.length ? samples.words.slice(0, 8) : FIRST_LABELS).join("\n");
  templates.value = samples.kind === "scenes" ? "scene" : "plain";
  labels.addEventListener("input", classify);
  templates.addEventListener("change", () => classify.now());
  own.addEventListener("input", classify);
  content.append(
    el("h1", {}, "Playground"),
    el("p", { class: "lead" }, "Give it a picture and any words. The model has no list of labels: it compares the picture with each sentence, in the space that pictures and words share."),
    problem,
    el("div", { class: "play" },
      el("section", { class: "card given", "aria-label": "Picture" }, drop, el("div", { class: "row" }, choose), el("p", { class: "note" }, samples.about), shelf),
      el("section", { class: "card asked", "aria-label": "Labels" },
        el("label", { for: "labels" }, "Labels, one a line"), labels, el("p", { class: "unseen", id: "labels-hint" }, "Shares change as you type."),
        el("div", { class: "row" }, el("label", { for: "templates" }, "Sentences"), templates, own), sentences),
      el("section", { class: "card told", "aria-label": "What the model says" }, el("h2", {}, "How well they fit"), answers, scale)),
    matrix.element);
  chooseButton(choose, take, complain, true);
  const stop = takePictures(drop, take, complain);
  showTemplates();
  if (samples.pictures.length) await useSample(samples.pictures[0]);
  await matrix.begin();
  return { leave() { stop(); ask.cancel(); classify.cancel(); matrix.stop(); }, go() {} };
}
