/* What the page does: one state, and what of it is shown. */

const state = { data: null, rows: [], sort: "rank", descending: false, shown: 25, selected: 0, picked: null };

const byId = (id) => document.getElementById(id);

const filled = (id, ...content) => byId(id)?.replaceChildren(...content);

const at = (name, row = state.selected) => cell(state.data.columns[name], row);

/* The table. */

const showRows = () => {
  const { data, sort, descending } = state;
  const rows = ordered(data, state.rows, sort, descending);
  const part = rows.slice(0, state.shown);
  filled("rows", ...part.map((row) => tableRow(data, row, state.selected)));
  for (const head of document.querySelectorAll("th[data-key]")) {
    const way = descending ? "descending" : "ascending";
    if (head.dataset.key === sort) head.setAttribute("aria-sort", way);
    else head.removeAttribute("aria-sort");
  }
  const more = byId("more");
  more.hidden = part.length >= rows.length;
  more.textContent = `Show ${Math.min(STEP, rows.length - part.length)} more`;
};

const showCount = () => {
  const [some, all] = [state.rows.length, state.data.count].map((n) => n.toLocaleString("en-US"));
  const offers = state.data.count === 1 ? "offer" : "offers";
  filled("count", some === all ? `All ${all} ${offers}` : `${some} of ${all} ${offers}`);
  byId("none").hidden = state.rows.length > 0;
};

const filter = () => {
  const filters = filtersOf(byId("filters"));
  const every = Array.from({ length: state.data.count }, (_, row) => row);
  state.rows = every.filter((row) => passes(state.data, filters, row));
  state.shown = 25;
  byId("reliability-shown").textContent = percent(filters.reliability);
  showCount();
  showRows();
  drawScatter();
};

/* The scatter of cost against time. */

const point = (row) => ({
  i: row,
  hours: at("epoch_hours", row),
  usd: at("epoch_usd", row),
  bound_by: at("bound_by", row),
  hours_low: at("epoch_hours_low", row),
  hours_high: at("epoch_hours_high", row),
  usd_low: at("epoch_usd_low", row),
  usd_high: at("epoch_usd_high", row),
});

const tipOf = (row) => ({
  Offer: `${at("offer_id", row)}, ${at("num_gpus", row)} × ${at("gpu_name", row) ?? "unknown"}`.slice(0, 60),
  Cost: `${usd(at("epoch_usd", row))} per epoch (${between(at("epoch_usd_low", row), at("epoch_usd_high", row), usd)})`,
  Time: `${time(at("epoch_hours", row))} per epoch (${between(at("epoch_hours_low", row), at("epoch_hours_high", row), time)})`,
  "Bound by": titleOf(state.data, at("bound_by", row)),
});

/* The selected offer, where the filters leave it. */
const chosen = () => (state.rows.includes(state.selected) ? [point(state.selected)] : []);

const range = (values) => {
  const known = values.filter((value) => value > 0);
  if (!known.length) return [0.1, 1];
  const [low, high] = known.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, 0]);
  return low < high ? [low / 1.1, high * 1.1] : [low / 2, high * 2];
};

/* Times that people count in, as far as there is room for their names. */
const NICE_HOURS = [
  ...[1, 2, 5, 10, 20, 30].map((seconds) => seconds / 3600),
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes / 60),
  ...[1, 2, 5, 10, 24, 48, 120, 240, 720, 2400],
];

const NICE_USD = [-4, -3, -2, -1, 0, 1, 2, 3, 4].flatMap((power) =>
  [1, 2, 5].map((first) => Number(`${first}e${power}`)),
);

const LEAST_TICKS = 3;

/* Where a range is so narrow that next to none of them is in it, its own parts are. */
const within = (ticks, from, to) => {
  const found = ticks.filter((tick) => tick >= from && tick <= to);
  if (found.length >= LEAST_TICKS) return found;
  const parts = [1, 3, 5, 7].map((part) => from * (to / from) ** (part / 8));
  return parts.map((value) => Number(value.toPrecision(3)));
};

const drawScatter = async () => {
  const points = state.rows.map(point);
  const [hours_from, hours_to] = range(points.map((one) => one.hours));
  const [usd_from, usd_to] = range(points.map((one) => one.usd));
  const first = !views.has("scatter");
  const view = await draw(
    "scatter",
    {
      offers: points,
      front: front(state.data, state.rows).map(point),
      focus: chosen(),
      chosen: chosen(),
    },
    {
      ...{ hours_from, hours_to, usd_from, usd_to },
      hours_ticks: within(NICE_HOURS, hours_from, hours_to),
      usd_ticks: within(NICE_USD, usd_from, usd_to),
    },
  );
  if (!first || !view) return;
  const rowOf = (item) => item?.datum?.i;
  view.addEventListener("pointerover", (event, item) => focus(event, rowOf(item)));
  view.addEventListener("pointerout", (event) => focus(event, undefined));
  view.addEventListener("click", (event, item) => {
    if (rowOf(item) !== undefined) select(rowOf(item));
  });
};

const focus = (event, row) => {
  showTip(event, row === undefined ? null : tipOf(row));
  draw("scatter", { focus: row === undefined ? chosen() : [point(row)] });
};

/* The selected offer. */

const select = (row) => {
  state.selected = row;
  state.picked = at("offer_id");
  showRows();
  showOffer();
  draw("scatter", { focus: chosen(), chosen: chosen() });
};

const showOffer = () => {
  filled("offer-name", `Offer ${at("offer_id")}: ${at("num_gpus")} × `, foreign(at("gpu_name")));
  const tied = at("tied_with");
  const place = `Rank ${state.selected + 1} of ${state.data.count.toLocaleString("en-US")}`;
  filled("offer-rank", tied === null ? place : `${place}; cannot be told from offer ${tied}`);
  const facts = [
    ["Cost per epoch", `${usd(at("epoch_usd"))}, in nine cases of ten ${between(at("epoch_usd_low"), at("epoch_usd_high"), usd)}`],
    ["Time per epoch", `${time(at("epoch_hours"))}, in nine cases of ten ${between(at("epoch_hours_low"), at("epoch_hours_high"), time)}`],
    ["Whole job", `${usd(at("job_usd"))} in ${time(at("job_hours"))}`],
    ["Price", `${price(at("usd_per_hour"))}/h with the disk`],
    ["Bid", at("bid_usd_per_hour") === null ? null : `${price(at("bid_usd_per_hour"))}/h`],
    ["CPU", at("cpu_name")],
    ["Threads", `${figure(at("cpu_cores"), 3)}${enoughWords()}`],
    ["Memory", `${figure(at("host_ram_gb"), 3)} GB of the host, about ${figure(at("host_ram_needed_gb"), 2)} GB needed`],
    ["Place", at("geolocation")],
    ["Reliability", percent(at("reliability"))],
    ["Image", at("image") ?? "none of the job's runs there"],
    ["Notes", at("notes") || null],
  ].filter(([, text]) => text !== null);
  filled(
    "offer-facts",
    ...facts.map(([name, text]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, foreign(text))),
    ),
  );
  showBill();
  showLimits();
  showThreads();
  const detail = { offer: at("offer_id"), row: state.selected };
  document.dispatchEvent(new CustomEvent("advisor:selected", { detail }));
};

const enoughWords = () => {
  const enough = at("enough_threads");
  return enough === null ? "; no number of them is enough" : `; ${enough} would do`;
};

const swatch = (part) =>
  element("i", { class: `swatch hue-${1 + state.data.parts.indexOf(part)}`, title: part });

const showBill = () => {
  const { selected, data } = state;
  const offers = selected === 0 ? [0] : [selected, 0];
  const rows = offers.flatMap((row, place) =>
    data.bill.map((line, order) => ({
      offer: row === 0 ? "Best offer" : "This offer",
      place,
      label: line.label,
      part: line.part,
      order,
      usd: line.usd[row] ?? 0,
    })),
  );
  draw("bill", { bill: rows });
  const lines = data.bill.filter((line) => line.usd[selected] || line.hours[selected]);
  const hours = (value) => (value === null ? "" : time(value));
  filled(
    "bill-rows",
    ...lines.map((line) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, swatch(line.part), line.label),
        element("td", { class: "number" }, hours(line.hours[selected])),
        element("td", { class: "number" }, usd(line.usd[selected])),
      ),
    ),
    element(
      "tr",
      { class: "total" },
      element("th", { scope: "row" }, "whole job"),
      element("td", { class: "number" }, time(at("job_hours"))),
      element("td", { class: "number" }, usd(at("job_usd"))),
    ),
  );
};

const MOST_SHARE = 3;

const showLimits = () => {
  const { data, selected } = state;
  const gpu = data.limits[0].rate[selected];
  const rows = data.limits
    .map((limit, place) => ({ ...limit, place, rate: limit.rate[selected] }))
    .filter((limit) => limit.rate !== null)
    .map(({ name, title, place, rate }) => ({
      title: title.replace(/^the /, ""),
      place,
      share: Math.min(rate / gpu, MOST_SHARE),
      label: figure(rate, 3),
      kind: name === "gpu" ? "gpu" : rate < gpu ? "short" : "enough",
    }));
  draw("limits", { limits: rows, reached: [{ share: at("samples_per_s") / gpu }] });
  const waits = at("gpu_waits");
  const bound = data.limits.find((one) => one.name === at("bound_by"));
  const many = at("num_gpus") > 1 ? ["GPUs", "wait"] : ["GPU", "waits"];
  const verdict =
    bound.side === "cpu"
      ? `The CPU starves the ${many[0]}: ${bound.title} holds it back.`
      : `It is bound by ${bound.title}.`;
  const idle = `The ${many.join(" ")} ${percent(waits)} of the time.`;
  filled("limits-words", `${verdict} ${idle} It reaches ${figure(at("samples_per_s"), 3)} samples/s.`);
};

/* Where a curve that rises and then levels off leaves room for a label. */
const beside = (threads, gain) => {
  if (threads < 4) return { align: "left", dx: 8, dy: 14 };
  if (gain < 0.05) return { align: "center", dx: 0, dy: 18 };
  return { align: "right", dx: -8, dy: -10 };
};

const showThreads = () => {
  const { data, selected } = state;
  const [threads, rate] = [at("cpu_cores"), at("samples_per_s")];
  const enough = at("enough_threads");
  const last = Math.max(2 * (threads ?? 8), 2 * (enough ?? 8), 16);
  const curve = data.curve.threads
    .map((count, place) => ({ threads: count, rate: data.curve.rate[selected][place] }))
    .filter((one) => one.threads <= last && one.rate !== null);
  const top = Math.max(rate, ...curve.map((one) => one.rate));
  const gain = top / rate - 1;
  const mark = { threads, rate, label: "this offer", ...beside(threads, gain) };
  const here = threads === null ? [] : [mark];
  const points = [...curve, ...here].sort((a, b) => a.threads - b.threads);
  draw("threads", {
    curve: points,
    here,
    enough: enough === null ? [] : [{ threads: enough }],
    ceiling: [{ rate: data.limits[0].rate[selected] }],
  });
  const cpu = at("cpu_name") === null ? "a usual CPU (nobody says which it is)" : "this CPU";
  const words =
    threads === null
      ? "Nobody says how many threads the offer grants."
      : gain < 0.02
        ? "More threads would bring next to nothing here."
        : `More threads of ${cpu} would bring up to ${percent(gain)} more.`;
  const least =
    enough === null ? "" : ` ${enough} ${enough === 1 ? "thread is" : "threads are"} enough: they reach 95 % of what any number would (dashed).`;
  filled("threads-words", words + least);
};

/* What is beside the offers. */

const showRest = () => {
  const { card, kept } = state.data;
  if (card)
    draw("choices", {
      choices: card.choices.map((one, place) => ({
        ...one,
        place,
        own: one.who === "advisor",
        label: percent(one.extra),
      })),
    });
  if (kept?.runs.length) {
    const runs = kept.runs.filter((one) => one.predicted !== null);
    const [from, to] = range(runs.flatMap((one) => [one.low, one.high, one.measured]));
    draw("runs", { runs, diagonal: [{ value: from }, { value: to }] });
  }
  if (byId("price-gpu")) showPrices();
};

const showPrices = () => {
  const found = state.data.kept.prices[Number(byId("price-gpu").value)];
  const rows = found.rows
    .filter((row) => row.usd_per_gpu_hour_p50 !== null)
    .map((row) => ({
      start: Date.parse(row.start),
      p10: row.usd_per_gpu_hour_p10,
      p50: row.usd_per_gpu_hour_p50,
      p90: row.usd_per_gpu_hour_p90,
    }));
  draw("prices", { prices: rows });
};

const listen = () => {
  const form = byId("filters");
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("heads").addEventListener("click", (event) => {
    const key = event.target.closest("th[data-key]")?.dataset.key;
    if (!key) return;
    state.descending = key === state.sort && !state.descending;
    state.sort = key;
    showRows();
  });
  byId("rows").addEventListener("click", (event) => {
    const picked = event.target.closest("button[data-row]");
    if (!picked) return;
    select(Number(picked.dataset.row));
    byId("offer-name").focus({ preventScroll: true });
    byId("offer-name").scrollIntoView();
  });
  byId("price-gpu")?.addEventListener("change", showPrices);
  byId("more").addEventListener("click", () => {
    state.shown += STEP;
    showRows();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") byId("tip").hidden = true;
  });
};

const HOUR_MS = 3600 * 1000;

/* Offers come and go by the minute; a page stays as it is. */
const showAge = () => {
  const hours = (Date.now() - Date.parse(state.data.generated_at)) / HOUR_MS;
  const stale = byId("stale");
  if (!stale || state.data.market.simulated) return;
  stale.hidden = hours < 1;
  stale.textContent = `This page was made ${time(hours)} ago: offers and prices have changed since.`;
};

/* The offer that was picked stays so, as long as it is there; else the best is shown. */
const show = (data) => {
  state.data = data;
  state.selected = Math.max(0, data.columns.offer_id.indexOf(state.picked));
  showAge();
  filter();
  if (data.count) showOffer();
  showRest();
};

const begin = () => {
  const data = JSON.parse(byId("page-data").textContent);
  if (!data.count) return;
  state.picked = Number(byId("page-data").dataset.offer ?? NaN);
  listen();
  /* Sentence and table are there already: they are seen before the charts are drawn. */
  requestAnimationFrame(() => setTimeout(() => show(data)));
  document.addEventListener("advisor:data", (event) => show(event.detail));
};

begin();
