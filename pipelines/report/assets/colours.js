"use strict";

/** Colours of events: alike in representation, alike in colour. Codes are places in a cube of 16 steps a side. */
report.colours = (() => {
  const STEPS = 16;
  const LIGHT = { lightness: 0.81, depth: 0.05, strength: 0.088 };
  const DARK = { lightness: 0.66, depth: 0.06, strength: 0.082 };
  let cache = new Map();

  report.onTheme(() => (cache = new Map()));

  /** sRGB of an OKLab colour (Ottosson 2020), cut to what a screen shows. */
  function screen(lightness, a, b) {
    const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
    const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
    const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
    const linear = [
      4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
      -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
      -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
    ];
    const parts = linear.map((part) => {
      const cut = Math.min(1, Math.max(0, part));
      const encoded = cut <= 0.0031308 ? 12.92 * cut : 1.055 * cut ** (1 / 2.4) - 0.055;
      return Math.round(255 * encoded);
    });
    return `rgb(${parts.join(",")})`;
  }

  /** Colour at a place of the cube; each of x, y, z goes from 0 to 15. */
  function at(x, y, z) {
    const key = (Math.round(x) + STEPS * Math.round(y) + STEPS * STEPS * Math.round(z)) | 0;
    let colour = cache.get(key);
    if (colour === undefined) {
      const { lightness, depth, strength } = document.documentElement.dataset.theme === "dark" ? DARK : LIGHT;
      const [a, b, c] = [x, y, z].map((step) => (2 * Math.round(step)) / (STEPS - 1) - 1);
      colour = screen(lightness + depth * c, strength * a, strength * b);
      cache.set(key, colour);
    }
    return colour;
  }

  /** Colour of a code; `unknown` where there is none. */
  function of(code, unknown) {
    if (code < 0) return unknown;
    return at(code % STEPS, Math.floor(code / STEPS) % STEPS, Math.floor(code / (STEPS * STEPS)));
  }

  return { at, of, STEPS };
})();
