"""The OpenAPI description of the service, put together from the schemas and the error table that serve requests.

operations.py says what each route takes and answers, in terms of schemas and exception types; answers.py has the JSON
answers and the headers; document.py makes one OpenAPI 3.1 document of both.
"""
