"""Runs the console: ``python -m medcrm``."""

from medcrm.cli import app

if __name__ == "__main__":
    app(prog_name="medcrm")
