"""`advisor doctor`: what is wrong with an installation, and what to do."""

from __future__ import annotations

import click

from advisor.app.context import Context
from advisor.app.doctor.diagnose import diagnose
from advisor.cli.options import json_option
from advisor.cli.output import line_width, remark, result
from advisor.report.diagnosed import diagnosis_document, diagnosis_text, summary
from advisor.report.formats import to_json


@click.command("doctor")
@click.option("--offline", is_flag=True, help="Ask no market.")
@json_option
@click.pass_obj
def command(context: Context, /, offline: bool, as_json: bool) -> None:
    """Check the installation, and say what to do about what is wrong.

    The command checks Python, the market's key and clock, your data folder, ssh, rsync,
    disks, and 'advisor.toml'. It changes nothing. The exit code is 0 if nothing is wrong;
    warnings are allowed. It is 7 if a rental's state is unknown, else that of the first
    line that is wrong.

    \b
    Examples:
      advisor doctor
      advisor doctor --offline --json
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    found = diagnose(context, offline=offline)
    if as_json:
        result(to_json(diagnosis_document(found)))
    else:
        result(diagnosis_text(found, line_width(context.variables)))
        remark(summary(found))
    if found.error is not None:
        raise found.error
