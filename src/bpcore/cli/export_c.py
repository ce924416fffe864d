import click

@click.command()
def export_c() -> None: ...
