"""MTConnect agents (ANSI/MTC1.4, versions 1.3 to 2.x): the HTTP and XML interface that most machine tools offer."""
