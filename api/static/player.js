// Two versions of a recording on one clock: both play all the time, one of them is heard.

const FADE_SECONDS = 0.015; // a hard cut would click

export class Player {
  #context = new AudioContext();
  #buffers = {}; // version -> AudioBuffer
  #running = {}; // version -> { source, gain } while playing
  #heard = "before";
  #started = 0; // the context's time at which position 0 was, or would have been, heard
  #paused = 0; // position while not playing

  /** Resolves to the AudioBuffer of a Blob; rejects where this browser cannot decode it. */
  async decode(blob) {
    return this.#context.decodeAudioData(await blob.arrayBuffer());
  }

  /** Replaces what there is by AudioBuffers by version; position and playing stay. */
  load(buffers) {
    const { playing, position } = this;
    this.pause();
    this.#buffers = buffers;
    this.#paused = Math.min(position, this.duration);
    if (playing && this.duration) this.play();
  }

  get playing() {
    return Object.keys(this.#running).length > 0;
  }

  /** Seconds. */
  get duration() {
    return Math.max(0, ...Object.values(this.#buffers).map((buffer) => buffer.duration));
  }

  /** Seconds from the start. */
  get position() {
    return this.playing ? Math.min(this.#context.currentTime - this.#started, this.duration) : this.#paused;
  }

  /** Starts at the position, from the start when it was at the end. */
  play() {
    if (this.playing) return;
    this.#context.resume(); // browsers let sound start only after a click
    const from = this.#paused >= this.duration ? 0 : this.#paused;
    this.#started = this.#context.currentTime - from;
    for (const [version, buffer] of Object.entries(this.#buffers)) this.#start(version, buffer, from);
  }

  pause() {
    this.#paused = this.position;
    for (const { source } of Object.values(this.#running)) source.stop();
    this.#running = {};
  }

  /** Goes to a position in seconds and goes on playing if it was. */
  seek(position) {
    const playing = this.playing;
    this.pause();
    this.#paused = Math.max(0, Math.min(position, this.duration));
    if (playing) this.play();
  }

  /** Makes a version the one that is heard; the position stays. */
  hear(version) {
    this.#heard = version;
    for (const [name, { gain }] of Object.entries(this.#running)) {
      gain.gain.setTargetAtTime(name === version ? 1 : 0, this.#context.currentTime, FADE_SECONDS / 3);
    }
  }

  #start(version, buffer, from) {
    const source = new AudioBufferSourceNode(this.#context, { buffer });
    const gain = new GainNode(this.#context, { gain: version === this.#heard ? 1 : 0 });
    source.connect(gain).connect(this.#context.destination);
    source.start(0, from);
    this.#running[version] = { source, gain };
  }
}
