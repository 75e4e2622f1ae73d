// Spectrograms: a Fourier transform, levels in decibels, a picture.

export const TOP_HZ = 8000; // nothing of a voice that matters is above
const WINDOW_SECONDS = 0.04; // resolves the harmonics of a voice
const RANGE_DB = 70; // from the brightest to the darkest colour
const FLOOR = 1e-12; // power that stands for silence
// From dark to bright, evenly spaced, each red, green, blue.
const COLOURS = [
  [11, 10, 20], [48, 18, 92], [112, 28, 112], [178, 46, 98], [232, 88, 68], [252, 158, 76], [255, 238, 178],
];
const PALETTE = Array.from({ length: 256 }, (_, index) => {
  const place = (index / 255) * (COLOURS.length - 1);
  const lower = Math.min(Math.floor(place), COLOURS.length - 2);
  return [...COLOURS[lower].map((from, part) => from + (place - lower) * (COLOURS[lower + 1][part] - from)), 255];
});

/** The discrete Fourier transform of `real` + i `imaginary`, in place; the length is a power of two. */
export function transform(real, imaginary) {
  const size = real.length;
  for (let index = 1, swapped = 0; index < size; index++) {
    let bit = size >> 1;
    for (; swapped & bit; bit >>= 1) swapped ^= bit;
    swapped ^= bit;
    if (index < swapped) {
      [real[index], real[swapped]] = [real[swapped], real[index]];
      [imaginary[index], imaginary[swapped]] = [imaginary[swapped], imaginary[index]];
    }
  }
  for (let half = 1; half < size; half *= 2) {
    for (let turn = 0; turn < half; turn++) {
      const cosine = Math.cos((Math.PI * turn) / half);
      const sine = -Math.sin((Math.PI * turn) / half);
      for (let low = turn; low < size; low += 2 * half) {
        const high = low + half;
        const re = real[high] * cosine - imaginary[high] * sine;
        const im = real[high] * sine + imaginary[high] * cosine;
        real[high] = real[low] - re;
        imaginary[high] = imaginary[low] - im;
        real[low] += re;
        imaginary[low] += im;
      }
    }
  }
}

/** Levels in dB: `columns` windows spread over mono `samples` at `rate` Hz, each of `bins` values from 0 Hz up. */
export function levels(samples, rate, columns) {
  const size = 2 ** Math.round(Math.log2(WINDOW_SECONDS * rate));
  const bins = Math.min(size / 2, Math.round((TOP_HZ / rate) * size));
  const window = Float32Array.from({ length: size }, (_, index) => Math.sin((Math.PI * (index + 0.5)) / size) ** 2);
  const values = new Float32Array(columns * bins);
  const real = new Float32Array(size);
  const imaginary = new Float32Array(size);
  for (let column = 0; column < columns; column++) {
    const start = Math.round(((column + 0.5) / columns) * samples.length - size / 2);
    for (let index = 0; index < size; index++) real[index] = (samples[start + index] ?? 0) * window[index];
    imaginary.fill(0);
    transform(real, imaginary);
    for (let bin = 0; bin < bins; bin++) {
      values[column * bins + bin] = 10 * Math.log10(real[bin] ** 2 + imaginary[bin] ** 2 + FLOOR);
    }
  }
  return { values, columns, bins, peak: values.reduce((one, other) => Math.max(one, other), -Infinity) };
}

/** Draws levels; `peak` (dB) gets the brightest colour, so that two pictures with one peak can be compared. */
export function draw(canvas, { values, columns, bins }, peak) {
  const picture = new ImageData(columns, bins);
  for (let column = 0; column < columns; column++) {
    for (let bin = 0; bin < bins; bin++) {
      const level = 1 + (values[column * bins + bin] - peak) / RANGE_DB;
      const colour = PALETTE[Math.round(255 * Math.max(0, Math.min(1, level)))];
      picture.data.set(colour, 4 * ((bins - 1 - bin) * columns + column));
    }
  }
  canvas.width = columns;
  canvas.height = bins;
  canvas.getContext("2d").putImageData(picture, 0, 0);
}
