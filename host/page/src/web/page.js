/* The page around the verifier. What evidence says becomes text of nodes and nothing else: there is no other way to a node here. */
const FILE_BYTES_MAX = 4 << 20;
const FILES_MAX = 16;
const SHOWN_MAX = 4096;

const at = (id) => document.getElementById(id);
const dropped = [];
let judge = null;

function node(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}… (${text.length} characters)` : text;
  if (className) made.className = className;
  return made;
}

function fill(id, nodes) {
  at(id).replaceChildren(...nodes);
}

/* Terms with what they mean; what is missing is left out. */
function terms(pairs) {
  return pairs.filter(([, value]) => value).flatMap(([term, value, className]) => [node("dt", term), node("dd", value, className)]);
}

function parts(check, note) {
  return terms([
    ["found", check.found, "value"],
    ["expected", check.expected, "value"],
    ["from", check.source],
    ["which is", note.says],
    ["meaning", note.remark],
  ]);
}

function row(check, note) {
  const passed = check.outcome === "passed";
  const made = node("details", "", passed ? "" : "refused");
  const summary = node("summary");
  const sign = node("span", note.is_open ? "○" : passed ? "✓" : "✕", "sign");
  sign.setAttribute("aria-hidden", "true");
  const name = node("span");
  name.append(node("span", note.is_open ? "open: " : passed ? "passed: " : "refused: ", "unseen"), node("span", check.name));
  summary.append(sign, name, node("span", check.found, "value"), node("span", `from ${check.source}`, "source"));
  const list = node("dl");
  list.append(...parts(check, note));
  made.append(summary, list);
  return made;
}

function rows(section, list, pairs) {
  at(section).hidden = pairs.length === 0;
  fill(list, pairs.map(([check, note]) => row(check, note)));
}

function fact(name, value) {
  const made = node("li", `${name} `);
  made.append(node("b", value));
  return made;
}

function time(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `second ${seconds}` : date.toISOString().replace(".000Z", "Z");
}

function headline(answer) {
  const word = answer.accepted ? "ACCEPTED" : "REFUSED";
  return answer.simulated ? `${word} under the SIMULATED root` : word;
}

function showVerdict(answer) {
  at("verdict").dataset.state = !answer.accepted ? "refused" : answer.simulated ? "simulated" : "accepted";
  at("headline").textContent = headline(answer);
  const draft = answer.draft_model ? `, drafted by ${answer.draft_model}` : "";
  fill("subject", [node("span", answer.model ? `${answer.model}${draft} — ${answer.subject}` : answer.subject)]);
  fill("facts", [fact("assurance", answer.assurance ?? "not authentic"), fact("profile", answer.profile)]);
  document.title = `${headline(answer)}: ${answer.subject}`;
}

function showRefusal(pair) {
  at("refusal").hidden = !pair;
  if (!pair) return;
  at("refusal-title").textContent = `Refused: ${pair[0].name}`;
  fill("refusal-parts", parts(...pair));
}

function showAnswer(answer, notes) {
  const pairs = answer.checks.map((check, index) => [check, notes[index]]);
  showVerdict(answer);
  showRefusal(pairs.find(([check]) => check.outcome !== "passed"));
  rows("checks", "checks-list", pairs.filter(([, note]) => !note.is_open));
  rows("open", "open-list", pairs.filter(([, note]) => note.is_open));
  if (answer.channel_key) at("facts").append(fact("channel key", answer.channel_key));
  at("limits").hidden = !answer.accepted;
  at("data").hidden = false;
  fill("limits-list", answer.not_proven.map((line) => node("li", line)));
  at("json").textContent = JSON.stringify(answer);
}

/* Without an answer nothing of an earlier one stays. */
function showNothing(title, text) {
  for (const id of ["refusal", "checks", "open", "limits", "data"]) at(id).hidden = true;
  for (const id of ["facts", "checks-list", "open-list", "limits-list", "json"]) fill(id, []);
  at("verdict").dataset.state = "waiting";
  at("headline").textContent = title;
  fill("subject", [node("span", text)]);
  document.title = `${title}: vial verify`;
}

function showAround(response, milliseconds) {
  const whose = response.is_stated ? "a stated time" : "this browser’s clock";
  if (response.answer && response.is_stated) at("facts").append(fact("as of", time(response.now)));
  at("when").textContent = response.answer
    ? `Judged as of ${time(response.now)} (${whose}) by vial ${response.version}, in this browser, in ${milliseconds.toFixed(0)} ms.`
    : "";
  at("build").textContent = `vial ${response.version}`;
  fill("taken", dropped.map((file, index) => node("li", `${file.name}: ${response.taken[index] ?? "not taken"}`)));
  at("reset").hidden = dropped.length === 0 && at("at").value === "";
  at("at-asked").hidden = !response.asked;
  at("at-asked").dataset.time = response.asked ? time(response.asked) : "";
  at("freshness").hidden = !response.has_nonce;
  at("freshness").textContent = response.has_nonce
    ? `What the evidence had to bind was chosen by who wrote this page${response.asked ? `, at ${time(response.asked)} by their word` : ""}. \
That it was fresh then is their word; that it is today, nobody’s.`
    : "";
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function refresh() {
  try {
    const question = JSON.parse(at("question").textContent);
    const request = { question, dropped, at: at("at").value.trim(), clock: Math.max(0, Math.floor(Date.now() / 1000)) };
    const begun = performance.now();
    const response = judge(request);
    const milliseconds = performance.now() - begun;
    if (response.answer) showAnswer(response.answer, response.notes);
    else if (question.shown || dropped.length > 0) showNothing("Could not judge", response.error);
    else showNothing("Nothing to judge yet", "Drop an appliance’s evidence or a report on this page, with the policy that it must satisfy.");
    showAround(response, milliseconds);
  } catch (error) {
    at("when").textContent = "";
    showNothing("Could not judge", String(error));
  }
}

async function take(files) {
  for (const file of files) {
    if (dropped.length >= FILES_MAX) return showNothing("Could not judge", `found more than ${FILES_MAX} files, expected at most that many`);
    if (file.size > FILE_BYTES_MAX) return showNothing("Could not judge", `${file.name}: found ${file.size} bytes, expected at most ${FILE_BYTES_MAX}`);
    dropped.push({ name: file.name, bytes: hex(new Uint8Array(await file.arrayBuffer())) });
  }
  refresh();
}

function listen() {
  at("files").addEventListener("change", async () => {
    await take([...at("files").files]);
    at("files").value = "";
  });
  at("at").addEventListener("change", refresh);
  at("at-asked").addEventListener("click", () => {
    at("at").value = at("at-asked").dataset.time;
    refresh();
  });
  at("reset").addEventListener("click", () => {
    dropped.length = 0;
    at("at").value = "";
    refresh();
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", () => document.body.classList.remove("dropping"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    take([...event.dataTransfer.files]);
  });
}

try {
  judge = loadVerifier(at("verifier").textContent);
  listen();
  refresh();
} catch (error) {
  showNothing("Could not judge", `The verifier does not start: ${error}`);
}
