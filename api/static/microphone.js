// A recording from the microphone as plain samples: browsers' own recorders write formats that few servers read.

import { encodeWav } from "./wav.js";

// The browser's own noise reduction would leave nothing to compare.
const UNTOUCHED = { noiseSuppression: false, echoCancellation: false, autoGainControl: false };

/** Starts recording; resolves to a function that stops and resolves to a WAV Blob. Rejects with words for people. */
export async function startRecording() {
  if (!navigator.mediaDevices) throw new Error("The microphone can be used over https or on localhost only.");
  const stream = await navigator.mediaDevices.getUserMedia({ audio: UNTOUCHED }).catch((refusal) => {
    throw new Error(`The microphone cannot be used: ${refusal.message}.`);
  });
  const context = new AudioContext();
  await context.audioWorklet.addModule(new URL("./microphone-worklet.js", import.meta.url));
  const tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
  const pieces = [];
  tap.port.onmessage = ({ data }) => pieces.push(data);
  context.createMediaStreamSource(stream).connect(tap);
  return async () => {
    stream.getTracks().forEach((track) => track.stop());
    await context.close();
    return encodeWav([joined(pieces)], context.sampleRate);
  };
}

function joined(pieces) {
  const samples = new Float32Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let filled = 0;
  for (const piece of pieces) {
    samples.set(piece, filled);
    filled += piece.length;
  }
  return samples;
}
