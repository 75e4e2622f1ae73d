"""Life of the models: which there are, which one is `production`, and how another one comes in.

    index.py       hyperparams.json, changed by one at a time and as a whole; the labels
    check.py       whether a model of a folder is what its entry says and answers as it did
    package.py     a model as it arrives: the files of a tar file or a folder, hostile until they have been read
    intake.py      what those files hold, checked, and the way into the models folder
    __main__.py    the command

Nothing here is needed to serve.
"""
