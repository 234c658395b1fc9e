// Sends the form, renames and deletes without leaving the page. While a photograph is processed, the page asks for itself
// and takes over the cards that changed: scroll and focus stay.
const POLL_MS = 2000;
// The largest body that the API takes, in bytes.
const MAX_BYTES = 32 * 1024 * 1024;
const form = document.querySelector("form.add");
const file = form.querySelector("[type=file]"), preset = form.querySelector("[name=preset]");
const message = document.getElementById("message");

function tell(text, kind = "problem") {
  message.textContent = text;
  message.className = kind;
  message.hidden = !text;
}

/** The response; the banner says so if there is none. */
async function ask(path, options = {}) {
  const response = await fetch(path, options).catch(() => null);
  document.getElementById("away").hidden = response !== null;
  if (response && !response.ok && response.headers.get("Content-Type")?.includes("json"))
    tell((await response.json()).detail);
  return response?.ok ? response : null;
}

const page = (options = {}) => ask("/" + location.search, { ...options, headers: { Accept: "text/html" } });

/** Takes over the cards that differ. */
async function show(response) {
  if (!response) return;
  const next = new DOMParser().parseFromString(await response.text(), "text/html");
  const told = next.getElementById("message");
  if (!told.hidden) tell(told.textContent, told.className);
  document.getElementById("count").replaceWith(next.getElementById("count"));
  const list = document.querySelector("ul"), cards = new Map([...list.children].map((card) => [card.id, card]));
  const wanted = [...next.querySelectorAll("ul > li")];
  for (const [index, card] of wanted.entries()) {
    const old = cards.get(card.id);
    cards.delete(card.id);
    const kept = old && (old.isEqualNode(card) || old.contains(document.activeElement)) ? old : card;
    if (old && old !== kept) old.replaceWith(kept);
    if (list.children[index] !== kept) list.insertBefore(kept, list.children[index] ?? null);
  }
  for (const card of cards.values()) card.remove();
}

setInterval(async () => {
  const isAway = !document.getElementById("away").hidden;
  if (isAway || document.querySelector("li[data-busy]")) await show(await page());
}, POLL_MS);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button"), body = new FormData(form);
  button.disabled = true;
  tell("");
  const response = await ask("/", { method: "POST", body, headers: { Accept: "text/html" } });
  button.disabled = false;
  if (!response) return;
  form.querySelector("[name=name]").value = file.value = "";
  await show(response);
});

file.addEventListener("change", () => {
  const size = file.files[0]?.size ?? 0, isLarge = size > MAX_BYTES;
  tell(isLarge ? `The file has ${(size / 1e6).toFixed(0)} MB, the limit of this page is ${(MAX_BYTES / 1e6).toFixed(0)} MB.` : "");
  if (isLarge) file.value = "";
});

preset.value = localStorage.getItem("preset") ?? preset.value;
if (!preset.value) preset.value = "cutout"; // a preset that is no longer there
preset.addEventListener("change", () => localStorage.setItem("preset", preset.value));

// A file that is dropped anywhere goes into the form; a browser would open it otherwise.
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (!event.dataTransfer.files.length) return;
  file.files = event.dataTransfer.files;
  file.dispatchEvent(new Event("change"));
  form.querySelector("button").focus();
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-act]");
  if (!button) return;
  const { act, job, name } = button.dataset;
  let done;
  if (act === "rename") {
    const newName = prompt("New name", name);
    if (!newName) return;
    done = await ask(`/update/${job}`, { method: "PUT", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ record_id: job, record_name: newName }) });
  } else {
    if (!confirm(`Delete ${name} and its result?`)) return;
    done = await ask(`/remove/${job}`, { method: "DELETE" });
  }
  button.blur();
  if (done) await show(await page());
});
