// Draws every figure of the page from the specs embedded beside it; nothing is fetched.
const theme = JSON.parse(document.getElementById("theme").textContent);
const holders = [...document.querySelectorAll(".chart")];
const options = { renderer: "svg", actions: false, config: theme, tooltip: { theme: "custom" } };
Promise.all(
  holders.map((holder) => vegaEmbed(holder, JSON.parse(holder.nextElementSibling.textContent), options)),
).then((drawn) => { document.documentElement.dataset.drawn = drawn.length; });
