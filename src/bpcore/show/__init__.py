"""What is shown: tables as text and HTML, and figures."""
