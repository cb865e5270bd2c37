"""``cardioseg doctor``: options and help text of the workflow of the same name."""

from cardioseg.cli import options
from cardioseg.cli.render import finish


def doctor_command(*, json_output: options.Json = False) -> None:
    """Check the installation: versions, machine, device, free disk and models.

    Add the output to a bug report. It contains no names of users, computers or folders. The exit
    code is 5 if a model does not pass its check.
    """
    from cardioseg.workflows.doctor import doctor

    finish(doctor(), json_output=json_output)
