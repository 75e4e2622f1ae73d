"""The endpoints, one family a file. A resource says what is done; how is the business of the modules beside it."""
