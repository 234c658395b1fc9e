"""How does the album look?

One page without anything from elsewhere. A script renames and deletes, since forms cannot, and looks again for what is
being worked on, unless somebody is filling in the form; all else works without it.
"""

from html import escape
from typing import Any

from darkroom.api.pages.layout import policy, preset_options

Json = dict[str, Any]

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --strong: #0a6b58; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --strong: #5fd0b5; --bad: #f2b8b5 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 70rem; padding: 2rem 1.25rem 4rem; font: 16px/1.5 system-ui, sans-serif }
h1 { margin: 0 0 .25rem } a { color: var(--strong) }
form.add { display: flex; flex-wrap: wrap; gap: .75rem; align-items: end; padding: 1rem; margin: 1.25rem 0;
  border: 1px solid var(--line); border-radius: 8px; background: var(--soft) }
label { display: grid; gap: .2rem; font-size: .85rem; max-width: 100% } select { min-width: 0; max-width: 100% }
input, select, button { font: inherit; padding: .35rem .6rem }
button { cursor: pointer; border: 1px solid var(--line); border-radius: 6px; background: transparent; color: inherit }
form.add button { background: var(--strong); color: Canvas; border-color: transparent; padding: .45rem 1.1rem }
.notice, .problem { border-left: 4px solid var(--strong); padding: .5rem .9rem; background: var(--soft) }
.problem { border-color: var(--bad) }
ul { list-style: none; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)) }
li { border: 1px solid var(--line); border-radius: 8px; overflow: hidden; display: flex; flex-direction: column }
.pair { display: grid; grid-template-columns: 1fr 1fr; background: var(--soft) }
.pair img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block }
.told { padding: .6rem .8rem; display: grid; gap: .3rem } .told b { overflow-wrap: anywhere }
.told small { opacity: .8 } .acts { display: flex; gap: .5rem; flex-wrap: wrap; align-items: center; font-size: .85rem }
.acts button { padding: .2rem .5rem } [type=file] { padding-left: 0 }
:focus-visible { outline: 2px solid var(--strong); outline-offset: 2px }
"""

SCRIPT = """
const again = Number(document.body.dataset.again), form = document.querySelector("form.add");
const isUsed = () => form.querySelector("[type=file]").value || form.contains(document.activeElement);
if (again) setInterval(() => { if (!isUsed()) location.replace("/"); }, again * 1000);
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-act]");
  if (!button) return;
  const { act, job, name } = button.dataset;
  let answer;
  if (act === "rename") {
    const told = prompt("New name", name);
    if (!told) return;
    answer = await fetch(`/update/${job}`, { method: "PUT", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ record_id: job, record_name: told }) });
  } else {
    if (!confirm(`Delete ${name} and its result?`)) return;
    answer = await fetch(`/remove/${job}`, { method: "DELETE" });
  }
  if (answer.ok) location.replace("/"); else alert((await answer.json()).detail);
});
"""


#: What this page may do: its own style and script, pictures and requests of this origin.
POLICY = policy(STYLE, SCRIPT, forms="'self'", pictures="'self' data:")
#: Seconds after which the page looks again while something is being worked on; later if there is something to read.
_AGAIN_S, _AGAIN_AFTER_DANGER_S = 2, 10


def render(album: Json) -> str:
    """The page of an album as its JSON tells it."""
    busy = any(job["status"] in ("pending", "processing") for job in album["jobs"])
    wait_s = _wait_s(album["message"]) if busy else 0
    again = f'<noscript><meta http-equiv="refresh" content="{wait_s};url=/"></noscript>' if busy else ""
    told = _message(album["message"])
    kept = f"{album['count']} of {album['limit']} photographs" if album["limit"] else f"{album['count']} photographs"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{again}'
        f'<title>Darkroom</title><link rel="icon" href="data:,">'
        f'<style>{STYLE}</style></head><body data-again="{wait_s}"><h1>Darkroom</h1>'
        f'<p>{kept}. For reviewers: <a href="/review">what waits</a>. For programs: <a href="/docs">the API</a>.</p>'
        f"{told}{_form()}"
        f"<ul>{''.join(map(_entry, album['jobs']))}</ul><script>{SCRIPT}</script></body></html>"
    )


def _wait_s(message: Json | None) -> int:
    return _AGAIN_AFTER_DANGER_S if message and message["kind"] == "danger" else _AGAIN_S


def _message(message: Json | None) -> str:
    if message is None:
        return ""
    kind, role = ("problem", "alert") if message["kind"] == "danger" else ("notice", "status")
    return f'<p class="{kind}" role="{role}">{escape(message["text"])}</p>'


def _form() -> str:
    return (
        '<form class="add" method="post" action="/" enctype="multipart/form-data">'
        '<label>Photograph <input type="file" name="file" accept="image/*" required></label>'
        '<label>Name <input name="name" maxlength="200" placeholder="as the file"></label>'
        f'<label>What to do <select name="preset">{preset_options("cutout")}</select></label><button>Go</button></form>'
    )


def _entry(job: Json) -> str:
    name, links = escape(job["display_name"]), job["links"]
    pictures = f'<img src="{links["thumbnail"]}?of=original" alt="{name}, as it came" loading="lazy">'
    if job["error"] and not job["before"]:
        pictures = ""  # what could not be measured cannot be shown either
    result = ""
    if links["result"]:
        pictures += f'<img src="{links["thumbnail"]}?of=result" alt="{name}, result" loading="lazy">'
        result = f'<a href="{links["result"]}" download>Download</a>'
    data = f'data-job="{job["id"]}" data-name="{name}"'
    return (
        f'<li><div class="pair">{pictures}</div><div class="told"><b>{name}</b><small>{escape(_state(job))}</small>'
        f'<div class="acts">{result}<button data-act="rename" {data}>Rename</button>'
        f'<button data-act="remove" {data}>Delete</button></div></div></li>'
    )


def _state(job: Json) -> str:
    if job["error"]:
        return f"failed: {job['error']['message']}"
    if job["status"] != "completed":
        return f"{job['status']} …"
    before, after = (job[when] and job[when].get("score") for when in ("before", "after"))
    scores = f", score {before:.0f} → {after:.0f}" if before is not None and after is not None else ""
    return f"{job['qc_status'].replace('_', ' ')}{scores}"
