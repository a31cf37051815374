// <kz-map>: footprints and the selected product's image over the base map that the node itself serves.
import * as maplibre from "./vendor/maplibre-gl-6.17.0/maplibre-gl.mjs";

/** @typedef {{sea: string, land: string, lake: string, coast: string, border: string, text: string, halo: string, water: string,
 *   line: string, chosen: string}} Palette */

/** @type {Record<"light" | "dark", Palette>} */
const PALETTES = {
  light: {
    sea: "#dbe4e9", land: "#f5f3ed", lake: "#dbe4e9", coast: "#b3c1c9", border: "#a9a49a", text: "#3a4550", halo: "#f9f8f4",
    water: "#6d8594", line: "#1f4e8c", chosen: "#c2361b",
  },
  dark: {
    sea: "#0c1217", land: "#1a2129", lake: "#0c1217", coast: "#35424d", border: "#4b5661", text: "#a5b0bb", halo: "#12181e",
    water: "#5f7a8c", line: "#8ab4f0", chosen: "#ff7a59",
  },
};

const FONT = ["Noto Sans", "Noto Sans CJK JP", "sans-serif"];
const IMAGE_MAX_ZOOM = 20;
const NARROW = matchMedia("(max-width: 54rem)");
const DARK = matchMedia("(prefers-color-scheme: dark)");
// A position that was assigned, not measured, is drawn with a broken outline.
const NOMINAL = ["case", ["get", "nominal"], ["literal", [4, 2]], ["literal", [1, 0]]];
const STILL = matchMedia("(prefers-reduced-motion: reduce)");
// Where a footprint is smaller than this on the screen, a dot stands for it.
const DOT_PX = 22;

/**
 * @param {Palette} p
 * @param {{base: string, credit: string, language: string}} options
 */
function style(p, { base, credit, language }) {
  const name = ["coalesce", ["get", `name_${language}`], ["get", "name"]];
  const label = { "text-font": FONT, "text-field": name };
  return {
    version: 8,
    sources: { base: { type: "vector", url: `pmtiles://${new URL(base, location.href)}`, attribution: credit } },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": p.sea } },
      { id: "land", type: "fill", source: "base", "source-layer": "land", paint: { "fill-color": p.land } },
      { id: "coast", type: "line", source: "base", "source-layer": "land", paint: { "line-color": p.coast, "line-width": 0.75 } },
      { id: "lake", type: "fill", source: "base", "source-layer": "lake", paint: { "fill-color": p.lake } },
      {
        id: "boundary", type: "line", source: "base", "source-layer": "boundary", filter: ["==", ["get", "class"], "boundary"],
        paint: { "line-color": p.border, "line-width": ["interpolate", ["linear"], ["zoom"], 2, 0.5, 8, 1.4] },
      },
      {
        id: "disputed", type: "line", source: "base", "source-layer": "boundary", filter: ["==", ["get", "class"], "disputed"],
        paint: { "line-color": p.border, "line-width": ["interpolate", ["linear"], ["zoom"], 2, 0.5, 8, 1.4], "line-dasharray": [3, 3] },
      },
      {
        id: "seas", type: "symbol", source: "base", "source-layer": "sea", filter: ["<=", ["get", "rank"], ["+", ["zoom"], 1]],
        layout: { ...label, "text-size": 11, "text-letter-spacing": 0.12, "text-max-width": 7 },
        paint: { "text-color": p.water, "text-halo-color": p.sea, "text-halo-width": 1 },
      },
      {
        id: "place-dots", type: "circle", source: "base", "source-layer": "place", minzoom: 5,
        paint: { "circle-radius": ["case", ["==", ["get", "capital"], 1], 2.75, 2], "circle-color": p.text, "circle-stroke-color": p.halo, "circle-stroke-width": 1 },
      },
      {
        id: "places", type: "symbol", source: "base", "source-layer": "place",
        layout: {
          ...label,
          "text-size": ["interpolate", ["linear"], ["zoom"], 3, ["case", ["==", ["get", "capital"], 1], 12, 11], 9, ["case", ["==", ["get", "capital"], 1], 15, 13.5]],
          "text-max-width": 8, "symbol-sort-key": ["get", "rank"], "text-padding": 6,
          "text-variable-anchor": ["bottom-left", "bottom-right", "top-left", "top-right", "bottom", "top"], "text-radial-offset": 0.35, "text-justify": "auto",
        },
        paint: { "text-color": p.text, "text-halo-color": p.halo, "text-halo-width": 1.5 },
      },
    ],
  };
}

/** @param {any} footprints */
function centres(footprints) {
  const features = footprints.features.map((/** @type {any} */ feature) => {
    const ring = feature.geometry.coordinates[0];
    const [lons, lats] = [0, 1].map((axis) => ring.map((/** @type {number[]} */ point) => point[axis]));
    const middle = (/** @type {number[]} */ values) => (Math.min(...values) + Math.max(...values)) / 2;
    // The world is 512 pixels wide at zoom 0.
    const until = Math.log2((DOT_PX * 360) / 512 / Math.max(1e-7, Math.max(...lons) - Math.min(...lons)));
    return { ...feature, properties: { ...feature.properties, until }, geometry: { type: "Point", coordinates: [middle(lons), middle(lats)] } };
  });
  return { type: "FeatureCollection", features };
}

/** @param {any[]} features */
function boundsOf(features) {
  const bounds = new maplibre.LngLatBounds();
  for (const feature of features) for (const point of feature.geometry.coordinates[0]) bounds.extend(point);
  return bounds;
}

export class KzMap extends HTMLElement {
  /** @type {any} */ #map = null;
  /** @type {any} */ #footprints = { type: "FeatureCollection", features: [] };
  /** @type {string | null} */ #selected = null;
  #ready = false;

  connectedCallback() {
    if (this.#map) return;
    this.#selected = this.dataset.selected ?? null;
    this.#open().catch((error) => {
      this.dataset.kzFailed = String(error);
      console.error(error);
    });
  }

  /**
   * Show another product: its outline, its image, its place. Emits nothing.
   * @param {string | null} product
   */
  select(product) {
    if (product === this.#selected) return;
    this.#selected = product;
    if (!this.#ready) return;
    this.#busy();
    this.#image();
    this.#paint();
    if (product) this.#fly(this.#of(product), !STILL.matches);
    this.#map.triggerRepaint();
  }

  /** @param {string} product */
  #of(product) {
    return this.#footprints.features.filter((/** @type {any} */ feature) => feature.properties.product === product);
  }

  get #palette() {
    return PALETTES[DARK.matches ? "dark" : "light"];
  }

  #style() {
    const { base = "", credit = "" } = this.dataset;
    return style(this.#palette, { base, credit, language: document.documentElement.lang });
  }

  #busy() {
    this.removeAttribute("data-kz-idle");
  }

  async #open() {
    // Labels are drawn from the page's own fonts; without waiting the first ones would be drawn in another.
    const [answer] = await Promise.all([
      fetch(this.dataset.footprints ?? "", { headers: { accept: "application/geo+json" } }),
      document.fonts.load('400 16px "Noto Sans"'),
    ]);
    if (answer.status === 401) return location.reload();
    this.#footprints = await answer.json();
    // @ts-ignore pmtiles is a classic script
    maplibre.addProtocol("pmtiles", new pmtiles.Protocol().tile);
    const chosen = this.#selected ? this.#of(this.#selected) : [];
    const start = chosen.length ? chosen : this.#footprints.features;
    this.#map = new maplibre.Map({
      container: this,
      style: this.#style(),
      ...(start.length ? { bounds: boundsOf(start), fitBoundsOptions: { padding: this.#padding(), maxZoom: chosen.length ? IMAGE_MAX_ZOOM : 8 } } : { center: [20, 30], zoom: 1.4 }),
      maxZoom: 21,
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      locale: JSON.parse(this.dataset.words ?? "{}"),
    });
    this.#map.touchZoomRotate.disableRotation();
    this.#map.keyboard.disableRotation();
    this.#map.addControl(new maplibre.NavigationControl({ showCompass: false }), "top-right");
    this.#map.addControl(new maplibre.ScaleControl({ maxWidth: 110 }), "bottom-left");
    this.#map.addControl(new maplibre.AttributionControl({ compact: false }), "bottom-right");
    this.#map.on("style.load", () => this.#overlay());
    this.#map.on("movestart", () => this.#busy());
    this.#map.on("idle", () => this.setAttribute("data-kz-idle", ""));
    DARK.addEventListener("change", () => {
      this.#busy();
      this.#map.setStyle(this.#style(), { diff: false });
    });
    this.#listen();
  }

  #padding() {
    return NARROW.matches ? 36 : 72;
  }

  /** Layers over the base map; again after each change of style. */
  #overlay() {
    const map = this.#map;
    const p = this.#palette;
    map.addSource("footprints", { type: "geojson", data: this.#footprints });
    map.addSource("centres", { type: "geojson", data: centres(this.#footprints) });
    map.addLayer({ id: "chosen-fill", type: "fill", source: "footprints", filter: false, paint: { "fill-color": p.chosen, "fill-opacity": 0.12 } }, "seas");
    map.addLayer({
      id: "outline", type: "line", source: "footprints",
      paint: { "line-color": p.line, "line-width": 1.5, "line-dasharray": NOMINAL, "line-opacity": ["interpolate", ["linear"], ["zoom"], 5, 0.55, 9, 1] },
    }, "seas");
    map.addLayer({ id: "chosen-line", type: "line", source: "footprints", filter: false, paint: { "line-color": p.chosen, "line-width": 2.25, "line-dasharray": NOMINAL } });
    map.addLayer({
      id: "dot", type: "circle", source: "centres",
      paint: { "circle-radius": 5, "circle-color": p.line, "circle-stroke-width": 2, "circle-stroke-color": p.halo },
    });
    map.addLayer({
      id: "chosen-dot", type: "circle", source: "centres", filter: false,
      paint: { "circle-radius": 6.5, "circle-color": p.chosen, "circle-stroke-width": 2, "circle-stroke-color": p.halo },
    });
    this.#ready = true;
    this.#image();
    this.#paint();
  }

  /** Outline and dot of the chosen product. */
  #paint() {
    const chosen = ["==", ["get", "product"], this.#selected ?? ""];
    const small = ["<", ["zoom"], ["get", "until"]];
    for (const layer of ["chosen-fill", "chosen-line"]) this.#map.setFilter(layer, chosen);
    this.#map.setFilter("outline", ["!", chosen]);
    this.#map.setFilter("chosen-dot", ["all", small, chosen]);
    this.#map.setFilter("dot", ["all", small, ["!", chosen]]);
  }

  /** Image tiles of the chosen product. */
  #image() {
    const map = this.#map;
    if (map.getLayer("image")) map.removeLayer("image");
    if (map.getSource("image")) map.removeSource("image");
    const features = this.#selected ? this.#of(this.#selected) : [];
    if (!features.length) return;
    map.addSource("image", {
      type: "raster",
      tiles: [`${location.origin}${this.dataset.tiles}/${this.#selected}/{z}/{x}/{y}`],
      tileSize: 256,
      maxzoom: IMAGE_MAX_ZOOM,
      bounds: boundsOf(features).toArray().flat(),
    });
    map.addLayer({ id: "image", type: "raster", source: "image", paint: { "raster-fade-duration": STILL.matches ? 0 : 150 } }, "outline");
  }

  /**
   * @param {any[]} features
   * @param {boolean} smooth
   */
  #fly(features, smooth) {
    if (!features.length) return;
    this.#map.resize();
    this.#map.fitBounds(boundsOf(features), { padding: this.#padding(), maxZoom: IMAGE_MAX_ZOOM, animate: smooth, duration: 900 });
  }

  #listen() {
    const map = this.#map;
    const layers = ["chosen-dot", "dot", "chosen-line", "outline"];
    const near = (/** @type {any} */ point) => {
      const reach = 6;
      const box = [[point.x - reach, point.y - reach], [point.x + reach, point.y + reach]];
      const hit = map.queryRenderedFeatures(box, { layers: layers.filter((layer) => map.getLayer(layer)) })[0]?.properties.product;
      return hit ?? this.#under(map.unproject(point));
    };
    map.on("click", (/** @type {any} */ event) => {
      const product = near(event.point);
      if (product) this.dispatchEvent(new CustomEvent("kz-pick", { detail: { product } }));
    });
    map.on("mousemove", (/** @type {any} */ event) => {
      map.getCanvas().style.cursor = near(event.point) ? "pointer" : "";
    });
  }

  /**
   * Smallest footprint that holds a position: outlines are not filled, yet a click inside one means it.
   * @param {{lng: number, lat: number}} position
   */
  #under({ lng, lat }) {
    let best = null;
    let least = Infinity;
    for (const feature of this.#footprints.features) {
      const ring = feature.geometry.coordinates[0];
      let inside = false;
      let area = 0;
      for (let i = 0; i + 1 < ring.length; i += 1) {
        const [[ax, ay], [bx, by]] = [ring[i], ring[i + 1]];
        if (ay > lat !== by > lat && lng < ((bx - ax) * (lat - ay)) / (by - ay) + ax) inside = !inside;
        area += ax * by - bx * ay;
      }
      if (inside && Math.abs(area) < least) [best, least] = [feature.properties.product, Math.abs(area)];
    }
    return best;
  }
}

customElements.define("kz-map", KzMap);
