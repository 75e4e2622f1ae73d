// What is too long for an answer at once goes as a job: sent, asked after, fetched, cancelled with the request.

import { keyHeaders } from "./key.js";
import { UNREACHABLE, getJson, postRecording } from "./service.js";

const PAUSE = 1000; // milliseconds between looks at a job

/**
 * Posts a recording, as a job where the service says so (`jobs` in its 413). `onJob` gets the job while it waits and
 * while it is worked on; the rest is that of postRecording.
 */
export async function postOrQueue(path, query, recording, { onProgress, onJob, signal }) {
  try {
    return await postRecording(path, query, recording, { onProgress, signal });
  } catch (error) {
    if (!error.jobs) throw error;
    const taken = await postRecording(own(error.jobs), query, recording, { onProgress, signal });
    return finished(JSON.parse(await taken.blob.text()), onJob, signal);
  }
}

async function finished(job, onJob, signal) {
  const path = own(job.links.self);
  const cancel = () => fetch(path, { method: "DELETE", headers: keyHeaders() }).catch(() => null);
  signal.addEventListener("abort", cancel);
  try {
    while (job.state === "queued" || job.state === "running") {
      onJob(job);
      await pause(signal);
      job = await getJson(path);
    }
    if (job.state !== "done") throw new Error(job.problem?.detail ?? `The job was ${job.state}.`);
    return await result(own(job.links.audio), signal);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

async function result(path, signal) {
  const answer = await fetch(path, { signal, headers: keyHeaders() }).catch((error) => {
    throw error.name === "AbortError" ? error : new Error(UNREACHABLE);
  });
  if (!answer.ok) throw new Error(`The service answered with status ${answer.status}.`);
  return { blob: await answer.blob(), header: (name) => answer.headers.get(name) };
}

function pause(signal) {
  return new Promise((resolve, reject) => {
    setTimeout(resolve, PAUSE);
    signal.addEventListener("abort", () => reject(new DOMException("Cancelled.", "AbortError")), { once: true });
  });
}

/** A path of the service as the page asks for it: relative, as the page may be served under a prefix. */
function own(path) {
  return path.replace(/^\//, "");
}
