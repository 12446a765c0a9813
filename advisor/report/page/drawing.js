/* The charts: each is drawn once, and given other rows after that. */

const library = async () => {
  const carried = document.getElementById("chart-library");
  if (!window.vegaEmbed && carried) {
    const script = document.createElement("script");
    script.textContent = carried.textContent;
    document.head.append(script);
  }
  return window.vegaEmbed;
};

const views = new Map();
const queue = new Map();

/* Draws the chart of a name with rows of its datasets, and values of its signals. */
const draw = (name, datasets, signals = {}) => {
  const place = document.querySelector(`[data-chart="${name}"]`);
  if (!place) return Promise.resolve();
  const before = queue.get(name) ?? Promise.resolve();
  const next = before.then(() => drawn(name, place, datasets, signals));
  queue.set(name, next.catch(() => {}));
  return next;
};

const drawn = async (name, place, datasets, signals) => {
  const view = views.get(name);
  if (view) {
    for (const [key, value] of Object.entries(signals)) view.signal(key, value);
    for (const [key, rows] of Object.entries(datasets)) view.data(key, rows);
    await view.runAsync();
    return view;
  }
  const embed = await library();
  if (!embed) return undefined;
  const spec = JSON.parse(document.getElementById("page-charts").textContent)[name];
  const params = (spec.params ?? []).map((one) => ({
    ...one,
    value: signals[one.name] ?? one.value,
  }));
  const made = await embed(place, { ...spec, params, datasets }, {
    mode: "vega-lite",
    renderer: "svg",
    ast: true,
    actions: false,
    defaultStyle: false,
    /* Offers have a tip of their own. */
    tooltip: name !== "scatter" && ((handler, event, item, value) => showTip(event, value)),
  });
  /* The place has a name and a role, and its figures are in a table. */
  place.querySelector("svg").setAttribute("aria-hidden", "true");
  views.set(name, made.view);
  return made.view;
};

const showTip = (event, value) => {
  const tip = document.getElementById("tip");
  if (!value) {
    tip.hidden = true;
    return;
  }
  const rows = Object.entries(value).map(([key, text]) =>
    element("div", {}, element("span", {}, key), element("strong", {}, String(text))),
  );
  tip.replaceChildren(...rows);
  tip.hidden = false;
  const { clientX: x, clientY: y } = event;
  const { offsetWidth: width, offsetHeight: height } = tip;
  tip.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${y + height + 24 > innerHeight ? y - height - 14 : y + 14}px`;
};
