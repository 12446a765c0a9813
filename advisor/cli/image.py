"""`advisor image`: what is known of a Docker image."""

from __future__ import annotations

import click

from advisor.app.context import Context
from advisor.base.errors import RegistryError
from advisor.cli.options import format_options
from advisor.cli.output import look_of_result, remark, result
from advisor.report.formats import Format, to_json
from advisor.report.image import image_document, image_text
from advisor.software.image import Image
from advisor.software.reference import Reference
from advisor.software.registry import read_config
from advisor.software.rules import AUTOMATIC_TAG


@click.command("image")
@click.argument("name", metavar="[IMAGE]", default="")
@click.option(
    "--offline",
    is_flag=True,
    help="Ask no registry: show only what the name says, and stored answers.",
)
@format_options("table", "json")
@click.pass_obj
def command(context: Context, /, name: str, offline: bool, output_format: Format) -> None:
    """Show which GPUs and drivers run a Docker image.

    The command asks the image's registry and stores the answer, which 'advisor rank
    --image' uses from then on. No password of yours is sent. Without IMAGE it shows the
    images that a job gets when you name none.

    \b
    Example:
      advisor image pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    images = context.images(name)
    config = None
    if name:
        reference = Reference.parse(name)
        if not offline:
            _ask(context, reference, images)
            images = context.images(name)
        config = context.image_configs.get(reference)
        if config and not config.is_current(reference, context.now()):
            remark(
                f"the registry's answer about {reference.short} of {config.read_at[:10]} "
                "does not count any more: a tag may have moved"
            )
    if output_format == "json":
        result(to_json(image_document(images, config)))
    else:
        result(image_text(images, config, look_of_result(context.variables)))


def _ask(context: Context, reference: Reference, images: tuple[Image, ...]) -> None:
    """Read the registry's answer into the cache; fail if nothing else is known."""
    if reference.tag == AUTOMATIC_TAG:
        remark(
            f"{AUTOMATIC_TAG} is no tag of a registry: Vast.ai puts one for it that "
            "fits the machine's driver"
        )
        return
    cache = context.image_configs
    try:
        read_config(reference, cache, context.transport)
    except RegistryError as error:
        if not images[0].is_known and cache.get(reference) is None:
            raise
        remark(f"{error}; this is what was known before")
