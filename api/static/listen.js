// The listening page: a recording comes in, the service works on it. How is the business of the modules beside.

import * as comparison from "./comparison.js";
import { postOrQueue } from "./jobs.js";
import { takeKey } from "./key.js";
import { startRecording } from "./microphone.js";
import { durationOf, readable } from "./recordings.js";
import { listModels, listNoises } from "./service.js";
import { clock, complain, say, told } from "./words.js";

const SAMPLE = new URL("./voice.flac", import.meta.url);
const LONGEST_SECONDS = 600; // decoded, both versions of more would fill a phone's memory

const at = (id) => document.getElementById(id);
let recording = null; // { blob, name, audible: short enough to be decoded here }
let work = null; // AbortController of the request under way
let stopRecording = null; // function, while the microphone records

// ---- A recording comes in -------------------------------------------------------------------------------------------

async function take(blob, name) {
  complain("");
  const mine = (recording = { blob, name, audible: (await durationOf(blob)) <= LONGEST_SECONDS });
  comparison.clear(name);
  at("download").hidden = true;
  at("enhance").disabled = false;
  const before = mine.audible ? await comparison.decode(blob).catch(() => null) : null;
  if (mine !== recording) return; // another one has come meanwhile
  if (before) {
    comparison.add("before", before);
    mine.blob = readable(blob, name, before);
  }
  at("enhance").scrollIntoView({ block: "nearest" });
  say(`${name} is loaded${inWords(mine, before)}`);
}

function inWords({ audible }, before) {
  if (before) return `: ${before.duration.toFixed(1)} seconds.`;
  return audible
    ? ". This browser cannot play it; the service may still read it."
    : `. It is longer than ${LONGEST_SECONDS / 60} minutes: it can be enhanced and downloaded, but not shown here.`;
}

async function takeFile([file]) {
  if (file) await take(file, file.name);
}

async function mix() {
  const voice = await (await fetch(SAMPLE)).blob();
  const noise = at("noise").value;
  const answer = await ask("mix-noise", { noise_type: noise, snr_db: at("snr").value }, voice, "Mixing");
  if (!answer) return;
  await take(answer.blob, `sample with ${noise} noise.wav`);
  await enhance();
}

async function record() {
  complain("");
  if (stopRecording) {
    const stop = stopRecording;
    stopRecording = null;
    await take(await stop(), "recording.wav");
    return;
  }
  stopRecording = await startRecording();
  const start = performance.now();
  at("record").classList.add("recording");
  say("The microphone is recording.");
  while (stopRecording) {
    at("record").textContent = `Stop ${clock((performance.now() - start) / 1000)}`;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  at("record").classList.remove("recording");
  at("record").textContent = "Record";
}

// ---- The service works ----------------------------------------------------------------------------------------------

async function enhance() {
  const limit = at("limit");
  const query = { model: at("model").value };
  if (limit.value !== limit.max) query.attenuation_limit_db = limit.value;
  const mine = recording;
  const start = performance.now();
  const answer = await ask("predict", query, mine.blob, "Removing the noise");
  if (!answer || mine !== recording) return;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (mine.audible) comparison.add("after", await comparison.decode(answer.blob));
  offer(answer.blob, mine.name);
  say(`Done by ${answer.header("X-Model")} ${answer.header("X-Model-Version")} in ${seconds} seconds.`);
}

function offer(blob, name) {
  const link = at("download");
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(blob);
  link.download = `${name.replace(/\.[^.]*$/, "")} enhanced.wav`;
  link.hidden = false;
  at("listening").hidden = false;
  at("listening").scrollIntoView({ block: "nearest" });
}

/** One request at a time, with its progress and its error in words; resolves to null when there is no answer. */
async function ask(path, query, blob, what) {
  work?.abort();
  const mine = (work = new AbortController());
  complain("");
  busy(true);
  const onProgress = (share) => {
    say(share === null ? `${what}…` : `Sending: ${Math.round(100 * share)} %`);
    if (share === null) at("progress").removeAttribute("value");
    else at("progress").value = share;
  };
  const onJob = ({ position, progress }) => {
    say(position ? `Waiting: number ${position} in the queue.` : `${what}: ${Math.round(100 * progress)} %`);
    at("progress").value = progress;
  };
  onProgress(0);
  try {
    return await postOrQueue(path, query, blob, { onProgress, onJob, signal: mine.signal });
  } catch (error) {
    if (mine !== work) return null; // another request has taken its place
    say(error.name === "AbortError" ? "Cancelled." : "That did not work.");
    if (error.name !== "AbortError") complain(error.message);
    return null;
  } finally {
    if (mine === work) busy(false);
  }
}

function busy(is) {
  at("progress").hidden = !is;
  at("cancel").hidden = !is;
}

// ---- Who listens to what --------------------------------------------------------------------------------------------

function showSliders() {
  const { value: limit, max } = at("limit");
  at("limit-words").value = limit === max ? "all of it" : `up to ${limit} dB`;
  at("snr-words").value = `${at("snr").value} dB`;
  for (const slider of ["limit", "snr"]) at(slider).setAttribute("aria-valuetext", at(`${slider}-words`).value);
}

async function fill() {
  const [models, noises] = await Promise.all([listModels(), listNoises()]);
  at("model").replaceChildren(...models.map(({ key, name }) => new Option(name, key)));
  at("noise").replaceChildren(...noises.map((name) => new Option(name)));
  at("noise").value = noises.includes("babble") ? "babble" : noises[0];
}

async function useKey() {
  takeKey();
  complain("");
  await fill();
}

function takeDrops() {
  const over = (is) => at("drop").classList.toggle("over", is);
  // Anywhere on the page: a file dropped beside the place would make the browser leave the page.
  document.addEventListener("dragover", (event) => { event.preventDefault(); over(true); });
  document.addEventListener("dragleave", (event) => event.relatedTarget || over(false));
  document.addEventListener("drop", told((event) => {
    over(false);
    return takeFile(event.dataTransfer.files);
  }));
}

at("file").addEventListener("change", told(({ target }) => takeFile(target.files)));
at("record").addEventListener("click", told(record));
at("mixing").addEventListener("submit", told(mix));
at("enhancing").addEventListener("submit", told(enhance));
at("key-form").addEventListener("submit", told(useKey));
at("cancel").addEventListener("click", () => { work.abort(); at("enhance").focus(); });
for (const slider of ["limit", "snr"]) at(slider).addEventListener("input", showSliders);
takeDrops();
showSliders();
told(fill)();
