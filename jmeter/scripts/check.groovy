// JMeter fills in what looks like one of its variables before Groovy sees it: no braces behind a dollar sign here.
// After each request: is the answer what the row of the CSV file expects? What is wrong becomes the failure message,
// led by one word that the verdict counts: "wrong", "refused" (503 or 429, in proper form) or "late".
def type = (prev.contentType ?: '').tokenize(';')[0]?.trim() ?: ''
def status = prev.responseCode
def body = type.contains('json') || type.startsWith('text/') ? prev.responseDataAsString : ''
def headers = prev.responseHeaders ?: ''
def header = { name -> headers.readLines().find { it.toLowerCase().startsWith(name + ':') }?.split(':', 2)?.getAt(1)?.trim() }
def expected = vars.get('status').split(/\|/) as List
def seconds = { (System.currentTimeMillis() - (vars.get('row_start') as long)) / 1000 }
def wrong = []
vars.put('done', vars.get('label'))  // now, so that a row on which this script fails is not sent for ever
def finish = { word, messages ->
    prev.successful = true
    if (messages) {
        AssertionResult.failure = true
        AssertionResult.failureMessage = word + ': ' + messages.join('; ')
    }
}
def again = { why, pause ->
    vars.put('done', '')
    prev.sampleLabel = vars.get('label') + ' (' + why + ')'
    prev.successful = true
    sleep(pause as long)
}

// The form of every error of the service: problem+json that repeats the status and the id of the request.
if (status ==~ /[45]\d\d/) {
    if (type != 'application/problem+json') wrong << "$status as $type"
    if (!(body =~ /"status": ?$status\b/)) wrong << "$status, and its document says otherwise"
    if (!header('x-request-id') || !body.contains(header('x-request-id'))) wrong << "$status without its request id"
    if (status == '401' && !header('www-authenticate')) wrong << '401 without WWW-Authenticate'
    if (status in ['429', '503'] && !(header('retry-after') ==~ /\d+/)) wrong << "$status without Retry-After"
}
if (status in ['429', '503'] && !wrong) props.put('hush.seen.' + status, 'yes')

if (!(status in expected) && !wrong) {
    if (status == '429' && vars.get('patient') == 'true' && (vars.get('row_limited') as int) < 5) {
        vars.put('row_limited', ((vars.get('row_limited') as int) + 1) as String)
        again('limited', 1000 * Math.min(header('retry-after') as int, 60))
        return
    }
    if (seconds() < ((vars.get('wait_s') ?: '0') as double)) {
        again('not yet', 500)
        return
    }
    if (status in ['429', '503']) {
        finish('refused', [status])
        return
    }
}
if (!(status in expected)) wrong << "status $status ($prev.responseMessage), expected " + vars.get('status')

// What follows is about the answer that was hoped for, not about a refusal that is allowed beside it.
if (status == expected[0]) {
    def content = vars.get('content').replace('format', vars.get('format')).replace('audio/mp3', 'audio/mpeg')
    if (content && type != content) wrong << "content type $type, expected $content"
    if (vars.get('seconds')) {
        def length = secondsOf(type, prev.responseData)
        // Lossy formats pad to whole frames, and some have a delay of their own.
        def allowed = type in ['audio/wav', 'audio/flac'] ? 0.001 : 0.15
        if (Math.abs(length - (vars.get('seconds') as double)) > allowed) {
            wrong << length.round(3) + ' s of audio, expected ' + vars.get('seconds')
        }
    }
    if (vars.get('contains') && !body.contains(vars.get('contains'))) wrong << 'no ' + vars.get('contains') + ' in the body'
    if (vars.get('keep')) {
        def (name, pattern) = new org.apache.jmeter.engine.util.CompoundVariable(vars.get('keep')).execute().split('=', 2)
        def unknown = pattern =~ /\$\{(\w+)\}/
        def found = unknown ? null : (headers + '\n' + body) =~ pattern
        if (unknown) wrong << 'no row before has kept ' + unknown[0][1]
        else if (found) vars.put(name, found[0][1]) else wrong << "nothing like $pattern in the answer"
    }
}
// Arrivals that are due while JMeter is not ready come all at once: such a run measures nothing.
def ready = (System.currentTimeMillis() - (vars.get('TESTSTART.MS') as long)) / 1000
if (vars.get('label') == 'warm-up' && vars.get('warm_up') && ready > (vars.get('warm_up') as double)) {
    wrong << 'JMeter was ready after ' + ready + ' s, raise warm_up'
}
def within = vars.get('within_ms') ? (vars.get('within_ms') as double) * (vars.get('latency_factor') as double) : 0
def late = within && !wrong && prev.time > within
finish(late ? 'late' : 'wrong', late ? [prev.time + ' ms, allowed ' + within.round()] : wrong)
