// The calls to the service, and its errors in words.

import { keyHeaders, noteStatus } from "./key.js";

/** The models, the one to be used by default first. */
export async function listModels() {
  const { available_models: models } = await getJson("models");
  return models.sort((one, other) => other.labels.includes("production") - one.labels.includes("production"));
}

/** The names of the noises. */
export async function listNoises() {
  return (await getJson("noise-types")).noise_types;
}

/** The JSON at a path; rejects with words for people. */
export async function getJson(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json", ...keyHeaders() } }).catch(() => {
    throw new Error(UNREACHABLE);
  });
  noteStatus(answer.status);
  if (!answer.ok) throw problem(answer.status, await answer.text());
  return answer.json();
}

/**
 * Posts a recording. `onProgress` gets the share sent (0 to 1), and null while the service works.
 * Resolves to { blob, header(name) }; rejects with words for people, and with an AbortError after `signal`. Where a
 * longer recording is taken as a job, the error says so in `jobs`.
 */
export function postRecording(path, query, recording, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much is sent
    request.open("POST", `${path}?${new URLSearchParams(query)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream"); // what it is, is read from the bytes
    request.setRequestHeader("Accept", "audio/wav, application/json;q=0.9, application/problem+json;q=0.8");
    for (const [name, value] of Object.entries(keyHeaders())) request.setRequestHeader(name, value);
    request.responseType = "blob";
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
    request.upload.onload = () => onProgress(null);
    request.onerror = () => reject(new Error(UNREACHABLE));
    request.onabort = () => reject(new DOMException("Cancelled.", "AbortError"));
    request.onload = async () => {
      noteStatus(request.status);
      const header = (name) => request.getResponseHeader(name);
      if (request.status < 300) resolve({ blob: request.response, header });
      else reject(problem(request.status, await request.response.text()));
    };
    signal.addEventListener("abort", () => request.abort());
    request.send(recording);
  });
}

export const UNREACHABLE = "The service cannot be reached. Look at the connection and try again.";

/** The `detail` of a problem document (RFC 9457), or what can be said without one; `jobs` is where else to send it. */
function problem(status, text) {
  try {
    const { detail, jobs } = JSON.parse(text);
    return Object.assign(new Error(detail || `The service answered with status ${status}.`), { jobs });
  } catch {
    return new Error(`The service answered with status ${status} and no explanation.`);
  }
}
