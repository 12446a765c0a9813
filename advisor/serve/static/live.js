"use strict";
/* Forms that answer while they are changed, and commands that follow the offer that is
   looked at. Without this script the same forms are sent with their button. */
{
  const PAUSE_MS = 150;
  const AGAIN_MS = 2000;
  const byId = (id) => document.getElementById(id);
  let waiting = null;
  let underway = null;

  const busy = (text) => {
    byId("busy").textContent = text;
  };

  const addressOf = (form) => {
    const said = [...new FormData(form)].filter(([, value]) => String(value).trim() !== "");
    return new URLSearchParams(said).toString();
  };

  const parsed = (html) => new DOMParser().parseFromString(html, "text/html");

  /* Puts the parts of another page with these ids in place of ours. */
  const take = (page, ...ids) => {
    for (const id of ids) {
      const [ours, theirs] = [byId(id), page.getElementById(id)];
      if (ours && theirs && !ours.isEqualNode(theirs)) ours.replaceWith(document.adoptNode(theirs));
    }
  };

  /* The answer with its text; null where the form was changed meanwhile. */
  const asked = async (path, form) => {
    underway?.abort();
    underway = new AbortController();
    busy("Computing …");
    try {
      const answer = await fetch(`${path}?${addressOf(form)}`, {
        signal: underway.signal,
        headers: { Accept: "*/*" },
      });
      return { text: await answer.text(), type: answer.headers.get("content-type") ?? "" };
    } catch (error) {
      if (error.name !== "AbortError") busy("The server does not answer: is it still running?");
      return null;
    }
  };

  const keep = (path, form) => history.replaceState(null, "", `${path}?${addressOf(form)}`);

  /* The calculator: the answer is a part of the page. */
  const compare = async (form) => {
    const answer = await asked("/speedup", form);
    if (!answer) return;
    take(parsed(answer.text), "told");
    keep("/speedup", form);
    busy("");
  };

  /* The ranking: its parts, and the figures for the charts and the table. */
  const rank = async (form) => {
    const answer = await asked("/live", form);
    if (!answer) return;
    if (!answer.type.startsWith("application/json")) {
      location.assign(`/?${addressOf(form)}`);
      return;
    }
    const found = JSON.parse(answer.text);
    keep("/", form);
    busy("");
    if (found.data && !byId("page-data")) {
      location.reload();
      return;
    }
    byId("told").innerHTML = found.told;
    byId("figures")?.classList.toggle("outdated", !found.data);
    if (!found.data) return;
    follow(parsed(found.form), form);
    refill(parsed(found.filters));
    words = found.commands;
    const before = JSON.parse(byId("page-data").textContent);
    document.dispatchEvent(
      new CustomEvent("advisor:data", { detail: { ...found.data, kept: before.kept } }),
    );
  };

  /* What is taken where a field is empty, which another workload changes. */
  const follow = (page, form) => {
    for (const field of form.querySelectorAll("input[placeholder]")) {
      const theirs = page.querySelector(`input[name="${field.name}"]`);
      if (!theirs || theirs.placeholder === field.placeholder) continue;
      field.placeholder = theirs.placeholder;
      field.dispatchEvent(new Event("advisor:usual"));
    }
  };

  /* Filters offer what is there; what was chosen stays chosen. */
  const refill = (page) => {
    for (const select of document.querySelectorAll("#filters select")) {
      const theirs = page.querySelector(`#filters select[name="${select.name}"]`);
      const chosen = select.value;
      if (!theirs) continue;
      select.replaceChildren(...[...theirs.options].map((one) => document.adoptNode(one)));
      select.value = chosen;
      if (select.selectedIndex < 0) select.selectedIndex = 0;
    }
  };

  /* Of the ways to say one thing, the last one that is used counts. */
  const others = (form, field) => {
    const { way } = field.dataset;
    if (!way || field.value === "") return;
    for (const other of form.querySelectorAll(`[data-way="${way}"]`)) {
      if (other === field || other.value === "") continue;
      other.value = "";
      other.dispatchEvent(new Event("advisor:usual"));
    }
  };

  const moving = (form, answer) => {
    if (!form) return;
    form.addEventListener("input", (event) => {
      others(form, event.target);
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        waiting = null;
        answer(form);
      }, PAUSE_MS);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(waiting);
      waiting = null;
      answer(form);
    });
  };

  moving(byId("job"), rank);
  moving(byId("work"), compare);

  /* While the market has not answered yet. */
  const askAgain = async () => {
    if (!byId("asking")) return;
    if (waiting === null) await rank(byId("job"));
    setTimeout(askAgain, AGAIN_MS);
  };

  /* Rentals, as long as something is going on there; what is being typed stays. */

  const releases = () => [...document.querySelectorAll("#release form")].map((form) => form.elements);

  const again = async () => {
    const address = byId("state")?.dataset.again;
    if (!address) return;
    let page;
    try {
      page = parsed(await (await fetch(address)).text());
    } catch {
      busy("The server does not answer: is it still running?");
      return;
    }
    if (!page.getElementById("state")) {
      location.assign(address);
      return;
    }
    const kept = releases().map(({ job, typed }) => [job.value, typed.value, typed === document.activeElement]);
    take(page, "state", "ledger", "release");
    for (const [name, text, isHere] of kept) {
      const typed = releases().find(({ job }) => job.value === name)?.typed;
      if (typed) typed.value = text;
      if (isHere) typed?.focus();
    }
    setTimeout(again, AGAIN_MS);
  };

  setTimeout(askAgain, AGAIN_MS);
  setTimeout(again, AGAIN_MS);

  /* Commands: those of another offer differ by its number alone. */
  const place = byId("commands");
  let words = place?.dataset.words ? JSON.parse(place.dataset.words) : null;

  const copyButton = (code) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    return button;
  };

  document.addEventListener("advisor:selected", (event) => {
    if (!place || !words) return;
    const lines = [...place.querySelectorAll(".words")];
    words.forEach((text, at) => {
      if (lines[at]) lines[at].textContent = text.replaceAll("@offer@", String(event.detail.offer));
    });
    const address = new URLSearchParams(location.search);  // the best one needs no name
    if (event.detail.row > 0) address.set("offer", event.detail.offer);
    else address.delete("offer");
    history.replaceState(null, "", `${location.pathname}?${address}`);
  });

  for (const code of document.querySelectorAll(".words")) code.after(copyButton(code));
}
