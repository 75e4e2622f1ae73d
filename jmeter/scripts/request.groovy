// Before each request: what the row of the CSV file asks for, and the stage of the plan this is.
import org.apache.jmeter.engine.util.CompoundVariable
import org.apache.jmeter.protocol.http.control.Header
import org.apache.jmeter.protocol.http.control.HeaderManager

vars.put('upload', vars.get('file') ? vars.get('recordings') + '/' + vars.get('file') : '')

def headers = new HeaderManager()
if (vars.get('key') && !vars.get('headers').contains('X-API-Key:')) headers.add(new Header('X-API-Key', vars.get('key')))
new CompoundVariable(vars.get('headers')).execute().split(/\|/).findAll { it }.each {
    def (name, value) = it.split(':', 2)
    headers.add(new Header(name.trim(), value.trim()))
}
sampler.removeProperty(sampler.HEADER_MANAGER)  // that of the row before; setting alone would merge the two
sampler.headerManager = headers

// `stages` is "NAME SECONDS NAME SECONDS ...", counted from the start of the test; the last one has no end.
def now = System.currentTimeMillis()
def left = (now - (vars.get('TESTSTART.MS') as long)) / 1000
def stages = vars.get('stages').split().toList().collate(2)
def stage = stages.find { (left -= it[1] as double) < 0 } ?: stages.last()
if (vars.get('label') == 'warm-up') stage = ['warm-up', '0']
vars.put('stage', stage[0])
vars.put('stage_seconds', stage[1])

// A row may be sent several times; its patience is counted from the first.
if (vars.get('row') != vars.get('label')) {
    vars.put('row', vars.get('label'))
    vars.put('row_start', now as String)
    vars.put('row_limited', '0')
}

// For rows that ask for it: a limit of attenuation that nobody hears, another each time, so that no cache can answer.
vars.put('fresh', vars.get('cached') == 'true' ? '200' : (200 + Math.random() * 100) as String)
