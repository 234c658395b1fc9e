// Longest side in pixels of the pictures beside each other, the most that a thumbnail has.
const SIDE = 1024;
// So many results are fetched at once, and the next page when so few are left.
const PAGE = 50, FEW = 5;
// Pictures whose sides differ in their ratio by less than this share lie over each other.
const ALIKE = 0.02;
// So many fetched files are kept, which is what is gone back to and what comes next.
const KEPT = 40;

const $ = (id) => document.getElementById(id);
/** What waits or was decided here, in the order in which it is looked at; `at` is what is shown. */
let entries = [], at = 0, cursor = "";
/** Addresses of fetched files, by path, the oldest first. */
const files = new Map();

async function ask(path, options = {}) {
  const key = sessionStorage.getItem("key");
  const headers = { ...(key && { Authorization: `Bearer ${key}` }), ...options.headers };
  const answer = await fetch(path, { ...options, headers }).catch(() => null);
  if (!answer) throw new Error("The service does not answer. Nothing was changed.");
  if (answer.ok) return answer;
  const { detail, code } = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(detail || `${answer.status} ${answer.statusText}`), { status: answer.status, code });
}

/** Runs what a person has asked for, and tells what went wrong. */
async function attempt(what) {
  $("problem").hidden = true;
  try {
    await what();
  } catch (error) {
    $("problem").textContent = error.message;
    $("problem").hidden = false;
    $("key").hidden = ![401, 403].includes(error.status);
  }
}

async function begin() {
  const label = $("label").value.trim();
  if (label && !/^[A-Za-z0-9_.-]{1,63}=/.test(label))
    throw new Error(`A label is written name=value, as product_group_id=LAMPS, not ${label}.`);
  for (const path of files.keys()) forget(path);
  [entries, at, cursor] = [[], 0, ""];
  $("one").hidden = $("none").hidden = $("told").hidden = true;
  await more();
  $("key").hidden = true;
  await show();
}

async function more() {
  while (cursor !== null && entries.length - at <= FEW) {
    const asked = { limit: PAGE, ...(cursor && { cursor }), ...($("label").value && { label: $("label").value }) };
    const page = await (await ask(`/v1/qc/pending?${new URLSearchParams(asked)}`)).json();
    const known = new Set(entries.map((entry) => entry.job.id));
    entries.push(...page.pending.filter((entry) => !known.has(entry.job.id)));
    cursor = page.next_cursor;
  }
}

/** The address of a fetched file. */
function fetched(path) {
  if (!files.has(path)) {
    const address = ask(path).then((answer) => answer.blob()).then(URL.createObjectURL);
    address.catch(() => files.delete(path));
    files.set(path, address);
    if (files.size > KEPT) forget(files.keys().next().value);
  }
  return files.get(path);
}

function forget(path) {
  files.get(path).then(URL.revokeObjectURL, () => {});
  files.delete(path);
}

const small = ({ links, etags }, of) => fetched(`${links.thumbnail}?side=${SIDE}&of=${of}&etag=${etags[of]}`);

async function show() {
  const entry = entries[at];
  const left = entries.slice(at).filter((each) => !each.decided).length;
  $("where").textContent = left ? `${left}${cursor === null ? "" : " or more"} waiting` : "";
  $("none").hidden = Boolean(entry);
  $("one").hidden = !entry;
  $("back").disabled = at === 0;
  const skipped = entries.filter((each) => !each.decided).length;
  $("nothing").textContent = skipped
    ? `${skipped} skipped ${skipped === 1 ? "result still waits" : "results still wait"} for a verdict.`
    : "Nothing more waits for a person.";
  if (!entry) return;
  describe(entry);
  enlarge(false);
  for (const id of ["after", "before"]) $(id).removeAttribute("src");
  const found = await Promise.allSettled([small(entry.job, "result"), small(entry.job, "original")]);
  if (entry !== entries[at]) return; // the person has gone on meanwhile
  await place(...found.map(({ value }) => value));
  const next = entries[at + 1];
  if (next) for (const of of ["result", "original"]) small(next.job, of).catch(() => {});
  for (const { reason } of found) if (reason) throw reason;
}

/** Shows both pictures: one over the other if they have one shape, else side by side. */
async function place(...addresses) {
  const images = [$("after"), $("before")];
  const there = images.filter((image, i) => addresses[i] && (image.src = addresses[i]));
  await Promise.allSettled(there.map((image) => image.decode()));
  const [one, other] = images.map((image) => image.naturalWidth / image.naturalHeight);
  const isBeside = !(Math.abs(one / other - 1) < ALIKE);
  $("pair").classList.toggle("beside", isBeside);
  $("split").disabled = isBeside;
  const { naturalWidth: width, naturalHeight: height } = $("after");
  const sizes = { "--width": `${width}px`, "--height": `${height}px`, "--ratio": width / height };
  for (const [name, value] of Object.entries(sizes)) $("pair").style.setProperty(name, value);
}

function describe({ job, reasons, decided }) {
  $("name").textContent = job.display_name;
  const labels = Object.entries(job.labels).map(([name, value]) => `${name}=${value}`);
  $("about").textContent = [job.owner, `run ${job.run}`, ...labels].filter(Boolean).join(" · ");
  $("verdict").textContent = decided;
  $("verdict").hidden = !decided;
  list("reasons", reasons);
  mark(job.review_reasons.flatMap(({ places }) => places));
  list("stages", [
    ...job.stages.filter((stage) => stage.stage !== "assess").map(told),
    ...job.skipped.map((each) => `${each.stage} left out: ${each.reason}`),
  ]);
  $("scores").tBodies[0]?.remove();
  const body = $("scores").createTBody(), [before, after] = [job.before, job.after];
  row(body, "as it came → result", before?.score, after?.score);
  for (const part of Object.keys(after?.parts ?? {})) row(body, part, before?.parts?.[part], after.parts[part]);
  $("past").open = false;
}

/** Draws a frame around each place; shown where both pictures lie over each other. */
function mark(places) {
  $("places").replaceChildren(...places.map((place) => {
    const frame = document.createElement("span");
    for (const [side, share] of Object.entries(place)) frame.style[side] = `${100 * share}%`;
    return frame;
  }));
}

function told({ stage, method, model, notes, degraded, doubtful }) {
  const how = model ? `by the network ${model.id}, version ${model.version}` : method;
  const marks = [degraded && "without its model", doubtful && "not sure of its result", ...notes].filter(Boolean);
  return [`${stage}: ${how}`, ...marks].join("; ");
}

function row(body, name, before, after) {
  const cells = body.insertRow(), head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  cells.append(head);
  const numbers = [before, after].map((value) => (value == null ? "–" : value.toFixed(0)));
  cells.insertCell().textContent = numbers.join(" → ");
}

function list(id, texts) {
  $(id).replaceChildren(...texts.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

/** Sends the verdict on what is shown, and goes on. */
async function decide(status, pipeline = null) {
  const entry = entries[at], { id, display_name: name, revision } = entry.job;
  if (entry.isSent) return;
  const verdict = { status, pipeline, revision, notes: $("notes").value, reviewer_id: $("reviewer").value };
  const sent = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(verdict) };
  entry.isSent = true;
  try {
    entry.job = await (await ask(`/v1/qc/${id}/review`, sent)).json();
    entry.decided = pipeline ? `being done again: ${pipeline}` : status;
    $("notes").value = "";
  } catch (error) {
    if (error.code !== "conflict") throw error;
    entry.job = await (await ask(`/v1/jobs/${id}`)).json();
    if (entry === entries[at]) describe(entry);
    if (entry.job.qc_status === "needs_review") throw new Error("It was changed meanwhile: look again, then decide.");
    entry.decided = `${entry.job.qc_status.replace("_", " ")} by somebody else meanwhile`;
  } finally {
    entry.isSent = false;
  }
  $("told").textContent = `${name}: ${entry.decided}`;
  $("told").hidden = false;
  if (entry === entries[at]) await step(1);
}

async function step(by) {
  at = Math.max(0, Math.min(entries.length, at + by));
  await more();
  await show();
}

/** Whether the pictures have their own size, which takes the whole files, or the page's. */
function enlarge(large) {
  $("pair").classList.toggle("large", large);
  $("size").setAttribute("aria-pressed", String(large));
}

async function resize() {
  const entry = entries[at], { links, etags } = entry.job;
  if ($("pair").classList.contains("large")) return show();
  // What a browser cannot show (TIFF, HEIC) stays as small as it is.
  const whole = async (path, otherwise) => {
    const address = await fetched(path), probe = Object.assign(new Image(), { src: address });
    return probe.decode().then(() => address, () => otherwise);
  };
  const found = [await whole(`${links.result}?etag=${etags.result}`, $("after").src), await whole(`${links.original}?etag=${etags.original}`, $("before").src)];
  if (entry !== entries[at]) return;
  await place(...found);
  enlarge(true);
}

async function open(file) {
  const tab = window.open("", "_blank");
  try {
    tab.location = await fetched(entries[at].job.links[file]);
  } catch (error) {
    tab.close();
    throw error;
  }
}

async function history() {
  if (!$("past").open) return;
  const past = await (await ask(`/v1/qc/${entries[at].job.id}/history`)).json();
  const line = ({ at: when, who, text, action }) =>
    `${new Date(when).toLocaleString()} ${[who, text || action].filter(Boolean).join(": ")}`;
  list("history", past.history.map(line));
}

const acts = {
  approve: () => decide("approved"),
  reject: () => decide("rejected"),
  rework: () => decide("rejected", $("preset").value),
  skip: () => step(1),
  back: () => step(-1),
  size: resize,
  again: begin,
};
for (const [id, act] of Object.entries(acts)) $(id).addEventListener("click", () => attempt(act));
for (const each of document.querySelectorAll("[data-file]"))
  each.addEventListener("click", () => attempt(() => open(each.dataset.file)));
$("past").addEventListener("toggle", () => attempt(history));
$("split").addEventListener("input", () => $("pair").style.setProperty("--split", `${$("split").value}%`));
for (const kind of ["pointerdown", "pointermove"]) $("pair").addEventListener(kind, (event) => {
  const { left, width } = $("pair").getBoundingClientRect();
  if (!(event.buttons & 1) || $("split").disabled || $("pair").classList.contains("large")) return;
  $("split").value = (100 * (event.clientX - left)) / width;
  $("split").dispatchEvent(new Event("input"));
});
// With actual size the pictures scroll with the pointer.
$("pair").addEventListener("pointermove", (event) => {
  if (event.buttons & 1 && $("pair").classList.contains("large")) $("pair").scrollBy(-event.movementX, -event.movementY);
});
$("filter").addEventListener("submit", (event) => (event.preventDefault(), attempt(begin)));
$("key").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", $("secret").value.trim());
  $("secret").value = "";
  attempt(begin);
});
$("reviewer").value = localStorage.getItem("reviewer") ?? "";
$("reviewer").addEventListener("change", () => localStorage.setItem("reviewer", $("reviewer").value));

// By position: a keyboard layout without Latin letters has the same keys.
const keys = { KeyA: "approve", KeyR: "reject", KeyS: "skip", KeyB: "back", KeyZ: "size" };
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input:not([type=range]), textarea, select");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const button = $(keys[event.code]);
  if (button && !button.disabled && button.checkVisibility()) button.click();
});

attempt(begin);
