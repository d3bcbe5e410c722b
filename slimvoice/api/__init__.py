"""The HTTP face: JSON, form fields and status codes live only here."""
