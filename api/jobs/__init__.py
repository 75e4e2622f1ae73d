"""Long recordings: taken now, enhanced later by another process, fetched when they are done.

    job.py         one job as data, and the steps of its life
    refusals.py    what a client is told when a job cannot be made, found, fetched or cancelled
    tally.py       what a change of a record counts for
    figures.py     the metrics made of that
    records.py     where the states live, and what every such place can do
    sqlite.py      states in a file, for one machine
    redis.py       states in Redis, for a fleet
    storage.py     uploads and results in a folder
    bucket.py      uploads and results in S3
    queue.py       huey: who has to be woken for which job
    places.py      which of these the settings ask for
    options.py     the query of `POST /jobs`, the Idempotency-Key
    office.py      what the endpoints do: take, find, cancel, fetch
    work.py        one job through the same pipeline as `/predict`
    consumer.py    the process that works: `python -m api.jobs.consumer`
    caretaker.py   beside the work: lost jobs, expired ones, webhooks that are due
    addresses.py   where a webhook may lead
    webhook.py     the signed message
    together.py    gunicorn with a consumer beside it, for `make run`

The record of a job is the truth; a message in the queue only says that it is worth a look. So a message may be lost or
come twice, and a consumer may die at any instant.
"""
