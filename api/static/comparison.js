// The card where both versions are seen and heard.

import { Player } from "./player.js";
import { draw, levels } from "./spectrogram.js";
import { clock } from "./words.js";

const VERSIONS = ["before", "after"];
const COLUMNS = 900; // of a spectrogram
const PLAY = "\u25b6\ufe0e"; // as text, not as a picture
const PAUSE = "\u275a\u275a";

const at = (id) => document.getElementById(id);
const player = new Player();
let buffers = {}; // version -> AudioBuffer
let peak = 0; // dB; the brightest colour of both pictures

/** Resolves to the AudioBuffer of a Blob; rejects where this browser cannot decode it. */
export function decode(blob) {
  return player.decode(blob);
}

/** Takes both versions away and says whose they will be. */
export function clear(name) {
  buffers = {};
  player.load(buffers);
  at("name").textContent = name;
  at("listening").hidden = true;
  at("comparison").hidden = true;
  for (const version of VERSIONS) {
    at(`${version}-figure`).hidden = true;
    at(`hear-${version}`).disabled = true;
  }
}

/** Adds or replaces a version, which is then the one that is heard; position and playing stay. */
export function add(version, buffer) {
  const picture = levels(buffer.getChannelData(0), buffer.sampleRate, COLUMNS);
  if (version === "before" || !buffers.before) peak = picture.peak;
  draw(at(`${version}-picture`), picture, peak);
  buffers = { ...buffers, [version]: buffer };
  player.load(buffers);
  at(`${version}-figure`).hidden = false;
  at(`hear-${version}`).disabled = false;
  at("listening").hidden = false;
  at("comparison").hidden = false;
  hear(version);
  showPosition();
}

function hear(version) {
  player.hear(version);
  at(`hear-${version}`).checked = true;
  for (const name of VERSIONS) at(`${name}-figure`).classList.toggle("heard", name === version);
}

function playOrPause() {
  if (player.playing) player.pause();
  else player.play();
  showPosition();
}

function pointAt(version, event) {
  const { left, width } = event.currentTarget.getBoundingClientRect();
  hear(version);
  player.seek(((event.clientX - left) / width) * player.duration);
  player.play();
  showPosition();
}

/** Shows where the player is, again and again while it plays. */
function showPosition() {
  if (player.playing && player.position >= player.duration) player.pause();
  const { position, duration, playing } = player;
  at("play").textContent = playing ? PAUSE : PLAY;
  at("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  at("position").max = duration;
  at("position").value = position;
  at("position").setAttribute("aria-valuetext", `${position.toFixed(1)} of ${duration.toFixed(1)} seconds`);
  at("time").textContent = `${clock(position)} / ${clock(duration)}`;
  for (const head of document.querySelectorAll(".playhead")) head.style.left = `${(100 * position) / (duration || 1)}%`;
  if (playing) requestAnimationFrame(showPosition);
}

at("play").addEventListener("click", playOrPause);
at("position").addEventListener("input", ({ target }) => {
  player.seek(Number(target.value));
  showPosition();
});
for (const version of VERSIONS) {
  at(`hear-${version}`).addEventListener("change", () => hear(version));
  at(`${version}-picture`).addEventListener("click", (event) => pointAt(version, event));
}
