/* Filters, order and rows of the table. */

const STEP = 100;

const filtersOf = (form) => {
  const chosen = Object.fromEntries(new FormData(form));
  return {
    gpu_name: chosen.gpu || null,
    num_gpus: chosen.count ? Number(chosen.count) : null,
    region: chosen.region || null,
    bound_by: chosen.bound || null,
    reliability: Number(chosen.reliability || 0) / 100,
    fits: chosen.fits === "on",
  };
};

const passes = (data, filters, row) => {
  const { columns } = data;
  for (const name of ["gpu_name", "num_gpus", "region", "bound_by"])
    if (filters[name] !== null && cell(columns[name], row) !== filters[name]) return false;
  if (filters.reliability > 0 && !(columns.reliability[row] >= filters.reliability)) return false;
  return !filters.fits || cell(columns.fit, row) === "surely";
};

/* Unknown figures come last, whichever way the order goes. */
const ordered = (data, rows, key, descending) => {
  const value = (row) => (key === "rank" ? row : cell(data.columns[key], row));
  const way = descending ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === b) return one - other;
    if (a === null) return 1;
    if (b === null) return -1;
    return (typeof a === "string" ? a.localeCompare(b) : a - b) * way;
  });
};

/* Rows that no other of them beats on both cost and time, the fastest first. */
const front = (data, rows) => {
  const { epoch_hours: hours, epoch_usd: cost } = data.columns;
  const sorted = [...rows].sort((a, b) => hours[a] - hours[b] || cost[a] - cost[b] || a - b);
  let least = Infinity;
  return sorted.filter((row) => {
    const better = cost[row] < least;
    if (better) least = cost[row];
    return better;
  });
};

const tableRow = (data, row, selected) => {
  const at = (name) => cell(data.columns[name], row);
  const tied = at("tied_with");
  const rank = element("td", { class: "number" }, String(row + 1));
  if (tied !== null)
    rank.append(element("abbr", { title: `It cannot be told from offer ${tied}.` }, "≈"));
  const pick = element(
    "button",
    {
      type: "button",
      class: "pick",
      "data-row": row,
      "aria-pressed": String(row === selected),
    },
    String(at("offer_id")),
  );
  const number = (text, kind = "") => element("td", { class: `number ${kind}` }, text);
  return element(
    "tr",
    { class: row === selected ? "selected" : null },
    rank,
    element("td", {}, pick),
    element("td", {}, `${at("num_gpus")} × `, foreign(at("gpu_name"))),
    number(usd(at("epoch_usd")), "strong"),
    number(time(at("epoch_hours"))),
    number(usd(at("job_usd")), "wide"),
    number(time(at("job_hours")), "wide"),
    number(price(at("usd_per_hour"))),
    element("td", { class: "wide" }, foreign(at("cpu"))),
    number(figure(at("cpu_cores"), 3), "wide"),
    element("td", {}, titleOf(data, at("bound_by"))),
    number(percent(at("gpu_waits")), "wide"),
    element("td", { class: "wide" }, foreign(at("geolocation"))),
    number(percent(at("reliability")), "wide"),
    element("td", { class: "wide notes" }, at("notes")),
  );
};

const titleOf = (data, limit) =>
  data.limits.find((one) => one.name === limit)?.title.replace(/^the /, "") ?? limit;
