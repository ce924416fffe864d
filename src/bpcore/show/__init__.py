"""Output for users: tables as text and HTML, and figures."""
