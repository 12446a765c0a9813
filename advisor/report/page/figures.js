/* Figures as people read them, and rows out of columns. */

const figure = (value, digits) => {
  if (value === null || value === undefined) return "?";
  const rounded = Number(value.toPrecision(digits));
  return rounded.toLocaleString("en-US", { maximumSignificantDigits: digits });
};

/* Dollars: below one with four decimals, as `advisor rank` has them. */
const usd = (value) => {
  if (value === null || value === undefined) return "?";
  const decimals = value > 0 && value < 1 ? 4 : 2;
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return `$${value.toLocaleString("en-US", options)}`;
};

const price = (value) =>
  value === null || value === undefined ? "?" : `$${value.toFixed(3)}`;

const time = (hours) => {
  if (hours === null || hours === undefined) return "?";
  if (hours >= 48) return `${figure(hours / 24, 3)} d`;
  if (hours >= 1) return `${figure(hours, 3)} h`;
  if (hours * 60 >= 1) return `${figure(hours * 60, 3)} min`;
  return `${figure(hours * 3600, 3)} s`;
};

const percent = (share) =>
  share === null || share === undefined ? "?" : `${Number((100 * share).toFixed(1))} %`;

const between = (low, high, show) => `${show(low)} to ${show(high)}`;

/* A column is a list, or values with the code of each row. */
const cell = (column, row) =>
  Array.isArray(column) ? column[row] : column.values[column.codes[row]];

/* An element with its text; texts of offers come in here and nowhere else. */
const element = (name, attributes = {}, ...content) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null) made.setAttribute(key, value);
  }
  made.append(...content);
  return made;
};

/* A stranger's text: its marks of direction reach no further than itself. */
const foreign = (text) => element("bdi", { class: "foreign" }, text ?? "unknown");
