// The first page with scripts: the list, the map and the card follow one selection, and the address follows it too.
import "./kz-map.js";

const card = /** @type {HTMLElement} */ (document.getElementById("card"));
const map = /** @type {import("./kz-map.js").KzMap} */ (document.querySelector("kz-map"));
const home = document.title.split(" · ").slice(-2).join(" · ");

/** @returns {string | null} Id of the product on the card. */
function shown() {
  return card.querySelector("[data-product]")?.getAttribute("data-product") ?? null;
}

/** Bring list, map and title in line with the card. */
function follow() {
  const product = shown();
  document.body.classList.toggle("has-card", card.childElementCount > 0);
  for (const row of document.querySelectorAll(".row")) {
    if (row.getAttribute("data-product") === product) {
      row.setAttribute("aria-current", "true");
      row.scrollIntoView({ block: "nearest" });
    } else {
      row.removeAttribute("aria-current");
    }
  }
  const title = card.querySelector("[data-title]")?.getAttribute("data-title") ?? document.getElementById("list-title")?.firstChild?.textContent?.trim();
  document.title = `${title} · ${home}`;
  map.select(product);
  card.scrollTop = 0;
}

function close() {
  const row = document.querySelector('.row[aria-current="true"]');
  card.replaceChildren();
  follow();
  if (row instanceof HTMLElement) row.focus({ preventScroll: true });
}

document.addEventListener("htmx:after:swap", follow);

// A click on a footprint is a click on its row: one way to select, whatever the hand does.
map.addEventListener("kz-pick", (event) => {
  const { product } = /** @type {CustomEvent<{product: string}>} */ (event).detail;
  const row = document.querySelector(`.row[data-product="${CSS.escape(product)}"]`);
  if (row instanceof HTMLElement) row.click();
  // Its row stands on another page of the list: the server knows on which.
  else location.assign(`/?product=${encodeURIComponent(product)}`);
});

// On a phone the card stands above the list: bring it into view.
document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-kz-close]")) {
    event.preventDefault();
    history.pushState({ htmx: true }, "", "/");
    close();
  } else if (target?.closest(".row") && matchMedia("(max-width: 54rem)").matches) {
    document.addEventListener("htmx:after:swap", () => card.scrollIntoView({ block: "start" }), { once: true });
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && shown() && !(event.target instanceof HTMLInputElement)) {
    history.pushState({ htmx: true }, "", "/");
    close();
  }
});

// Going back fetches the card alone: the map stays as it is.
document.addEventListener("htmx:before:history:restore", (event) => {
  event.preventDefault();
  const product = new URLSearchParams(location.search).get("product");
  if (product === null) close();
  else if (product !== shown()) {
    // @ts-ignore htmx is a classic script
    htmx.ajax("GET", `/products/${encodeURIComponent(product)}`, { target: "#card", swap: "innerHTML" });
  }
});
