// Samples as a WAV file of 16 bits.

const HEADER_BYTES = 44;

/** A Blob of `channels`, arrays of equal length of samples (-1 to 1, saturated beyond) at `rate` Hz. */
export function encodeWav(channels, rate) {
  const frameBytes = 2 * channels.length;
  const dataBytes = frameBytes * channels[0].length;
  const view = new DataView(new ArrayBuffer(HEADER_BYTES + dataBytes));
  const write = (offset, text) => [...text].forEach((sign, index) => view.setUint8(offset + index, sign.charCodeAt(0)));
  write(0, "RIFF");
  view.setUint32(4, view.byteLength - 8, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // bytes of the format chunk
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, channels.length, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, frameBytes * rate, true); // bytes a second
  view.setUint16(32, frameBytes, true);
  view.setUint16(34, 16, true); // bits a sample
  write(36, "data");
  view.setUint32(40, dataBytes, true);
  channels.forEach((samples, channel) => {
    samples.forEach((sample, frame) => {
      const value = Math.round(32767 * Math.max(-1, Math.min(1, sample)));
      view.setInt16(HEADER_BYTES + frameBytes * frame + 2 * channel, value, true);
    });
  });
  return new Blob([view], { type: "audio/wav" });
}
