// After the burst: a service that refuses nobody has not been overloaded, or does not guard itself.
def wanted = (vars.get('burst') as int) > 0 ? vars.get('limits').split(/,/).findAll { it ==~ /\d+/ } : []
def missing = wanted.findAll { props.get('hush.seen.' + it) != 'yes' }
SampleResult.successful = missing.isEmpty()
SampleResult.responseCode = missing ? '500' : '200'
SampleResult.responseMessage = missing ? 'wrong: the burst met no ' + missing.join(', ') : 'met: ' + wanted.join(', ')
vars.put('stage', 'smoke')
vars.put('stage_seconds', '1')
