// What a recording is before anything is done with it.

import { encodeWav } from "./wav.js";

const READ_BY_THE_SERVICE = /\.(wav|wave|flac|ogg|oga|opus|mp3)$/i;

/** Resolves to the seconds of a Blob as far as this browser can tell, and to 0 where it cannot. */
export function durationOf(blob) {
  return new Promise((resolve) => {
    const audio = new Audio();
    const done = () => {
      resolve(Number.isFinite(audio.duration) ? audio.duration : 0);
      URL.revokeObjectURL(audio.src);
    };
    audio.addEventListener("loadedmetadata", done);
    audio.addEventListener("error", done);
    audio.preload = "metadata";
    audio.src = URL.createObjectURL(blob);
  });
}

/** What to send for a file: itself, or what this browser decoded of it where the service cannot read such files. */
export function readable(blob, name, decoded) {
  if (READ_BY_THE_SERVICE.test(name)) return blob;
  const channels = Array.from({ length: decoded.numberOfChannels }, (_, channel) => decoded.getChannelData(channel));
  return encodeWav(channels, decoded.sampleRate);
}
