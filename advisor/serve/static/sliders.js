"use strict";
/* A slider below each number that has a range: it writes into the field, which counts. */
{
  const STEPS = 1000;
  const WITH_UNIT = /^(\d+(?:\.\d+)?)\s*([smhd])$/;
  const HOURS = { s: 1 / 3600, m: 1 / 60, h: 1, d: 24 };

  const tidy = (value) => {
    const digits = value < 10 ? 2 : value < 100 ? 2 : 3;
    return Number(value.toPrecision(digits));
  };

  /* What a field holds, as a number of its slider's unit; NaN where it holds none. */
  const valueOf = (field) => {
    const text = field.value.trim() || field.placeholder;
    const timed = WITH_UNIT.exec(text);
    if (timed) return Number(timed[1]) * HOURS[timed[2]];
    return text === "" ? NaN : Number(text.replaceAll(",", ""));
  };

  const scaleOf = ({ slider, low, high, unit }) => {
    const [from, to] = [Number(low), Number(high)];
    const share = (value) =>
      slider === "linear" ? (value - from) / (to - from) : Math.log(value / from) / Math.log(to / from);
    const value = (part) =>
      slider === "linear" ? from + part * (to - from) : from * (to / from) ** part;
    const text = (part) => {
      const exact = value(part);
      if (slider === "double") return String(2 ** Math.round(Math.log2(exact)));
      if (slider === "linear") return String(Number(exact.toFixed(2)));
      return `${from >= 1 ? Math.max(1, Math.round(tidy(exact))) : tidy(exact)}${unit}`;
    };
    return { share, text };
  };

  const addSlider = (field) => {
    const { share, text } = scaleOf(field.dataset);
    const slider = document.createElement("input");
    slider.type = "range";
    slider.min = 0;
    slider.max = STEPS;
    const name = field.closest("label").firstChild.textContent.trim();
    slider.setAttribute("aria-label", `${name}, slider`);
    const unsaid = field.placeholder === "none" ? 1 : 0;  // without a limit: the far end
    const follow = () => {
      const part = share(valueOf(field));
      slider.value = Math.round(STEPS * (Number.isNaN(part) ? unsaid : Math.min(1, Math.max(0, part))));
      slider.setAttribute("aria-valuetext", field.value || field.placeholder || "not set");
    };
    slider.addEventListener("input", (event) => {
      event.stopPropagation();
      field.value = text(slider.value / STEPS);
      slider.setAttribute("aria-valuetext", field.value || "not set");
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
    field.addEventListener("change", follow);
    field.addEventListener("advisor:usual", follow);
    const label = field.closest("label");
    const box = document.createElement("div");
    box.className = "field";
    label.before(box);
    box.append(label, slider);
    follow();
  };

  document.querySelectorAll("input[data-slider]").forEach(addSlider);
}
