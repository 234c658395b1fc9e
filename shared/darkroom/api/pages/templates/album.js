// Forms cannot send PUT or DELETE, so this script renames and deletes. It also reloads the page while a photograph is
// processed, unless the form is in use.
const reloadSeconds = Number(document.body.dataset.reload);
const form = document.querySelector("form.add");
const isFormInUse = () => form.querySelector("[type=file]").value || form.contains(document.activeElement);
if (reloadSeconds) setInterval(() => { if (!isFormInUse()) location.replace("/"); }, reloadSeconds * 1000);

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-act]");
  if (!button) return;
  const { act, job, name } = button.dataset;
  let response;
  if (act === "rename") {
    const newName = prompt("New name", name);
    if (!newName) return;
    response = await fetch(`/update/${job}`, { method: "PUT", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ record_id: job, record_name: newName }) });
  } else {
    if (!confirm(`Delete ${name} and its result?`)) return;
    response = await fetch(`/remove/${job}`, { method: "DELETE" });
  }
  if (response.ok) location.replace("/"); else alert((await response.json()).detail);
});
