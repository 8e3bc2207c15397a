// Draws every figure of the page from the specs embedded beside it; nothing is fetched.
const theme = JSON.parse(document.getElementById("theme").textContent);
const holders = [...document.querySelectorAll(".chart")];
const options = { renderer: "svg", actions: false, config: theme, tooltip: { theme: "custom" } };
const AXIS_PX = 120, SYMBOL_PX = 28, LETTER_PX = 6.5; // what stands beside a legend, and the size of a name in it
// The spec of a figure, its legend in as many columns as fit.
const fitting = (holder) => JSON.parse(holder.nextElementSibling.textContent, (_, value) => {
  if (!value?.legend?.columns) return value;
  const room = holder.clientWidth - AXIS_PX;
  const sizes = value.scale.domain.map((name) => SYMBOL_PX + LETTER_PX * name.length);
  const fits = sizes.reduce((sum, size) => sum + size, 0) <= room;
  const columns = fits ? sizes.length : Math.max(1, Math.floor(room / Math.max(...sizes)));
  return { ...value, legend: { ...value.legend, columns } };
});
Promise.all(
  holders.map((holder) => vegaEmbed(holder, fitting(holder), options)),
).then((drawn) => { document.documentElement.dataset.drawn = drawn.length; });
