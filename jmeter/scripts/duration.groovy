// Seconds of audio in a file, counted from its content as a player would; -1 for a type that is not known.
def uint = { byte[] b, int at, int bytes -> (0..<bytes).inject(0L) { sum, i -> sum | ((b[at + i] & 0xFFL) << (8 * i)) } }
def text = { byte[] b, int at, int bytes -> new String(b, at, bytes, 'ISO-8859-1') }

// RIFF: bytes of samples / bytes a second. 0xFFFFFFFF stands for "until the end".
def wav = { byte[] b ->
    long perSecond = 0
    for (int at = 12; at + 8 <= b.length;) {
        def size = uint(b, at + 4, 4)
        if (text(b, at, 4) == 'fmt ') perSecond = uint(b, at + 16, 4)
        if (text(b, at, 4) == 'data') return Math.min(size, b.length - at - 8L) / (double) perSecond
        at += 8 + (int) (size + size % 2)
    }
    return 0d
}

// STREAMINFO (RFC 9639, 8.2): 20 bits of rate, then after 8 more 36 bits of samples.
def flac = { byte[] b ->
    def bits = new BigInteger(1, b[18..25] as byte[]).longValue()
    return (bits & 0xFFFFFFFFFL) / (double) (bits >>> 44)
}

// The position of the last page (RFC 3533), over the rate in the first; Opus counts at 48 kHz from after its pre-skip.
def ogg = { byte[] b ->
    int at = b.length - 27
    while (at > 0 && text(b, at, 4) != 'OggS') at--
    def opus = text(b, 28, 8) == 'OpusHead'
    return opus ? (uint(b, at + 6, 8) - uint(b, 38, 2)) / 48000d : uint(b, at + 6, 8) / (double) uint(b, 40, 4)
}

// MPEG audio layer III: the frames are counted, a first one that only describes the file is left out.
def mp3 = { byte[] b ->
    def rates = [3: [44100, 48000, 32000], 2: [22050, 24000, 16000], 0: [11025, 12000, 8000]]  // MPEG 1, 2, 2.5
    def first = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]  // kbit/s in MPEG 1
    def others = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
    double seconds = 0
    int at = text(b, 0, 3) == 'ID3' ? 10 + (6..9).inject(0) { sum, i -> (sum << 7) | b[i] } : 0
    while (at + 4 <= b.length && (b[at] & 0xFF) == 0xFF && (b[at + 1] & 0xE0) == 0xE0) {
        int generation = (b[at + 1] >> 3) & 3
        int samples = generation == 3 ? 1152 : 576
        int rate = rates[generation][(b[at + 2] >> 2) & 3]
        int kilobits = (generation == 3 ? first : others)[(b[at + 2] >> 4) & 15]
        int frame = (samples.intdiv(8) * 1000 * kilobits).intdiv(rate) + ((b[at + 2] >> 1) & 1)
        if (frame < 4) break  // no bit rate: damaged
        def describes = text(b, at, Math.min(frame, b.length - at)).with { contains('Xing') || contains('Info') }
        if (seconds > 0 || !describes) seconds += samples / (double) rate
        at += frame
    }
    return seconds
}

def readers = ['audio/wav': wav, 'audio/flac': flac, 'audio/ogg': ogg, 'audio/mpeg': mp3]
def secondsOf = { String type, byte[] b -> b.length > 44 && readers[type] ? readers[type](b) : -1d }
