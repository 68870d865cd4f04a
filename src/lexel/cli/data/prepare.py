"""`lexel data prepare`"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from lexel.cli.options import Json
from lexel.terminal import counted

RARE = "Storage"


def prepare(
    source: Annotated[
        str, typer.Argument(help="A folder, a table, class folders, shards, or scenes:N.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Argument(metavar="OUT", help="The folder of shards: new, or to be continued.", show_default=False)
    ],
    size: Annotated[
        int, typer.Option(metavar="PIXELS", min=16, help="Length of the shorter side; smaller pictures keep theirs.")
    ] = 256,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Name columns as lexel train does: data.caption, data.label, data.image; or data.encoding.",
            show_default=False,
        ),
    ] = None,
    image_format: Annotated[
        Literal["jpeg", "webp"],
        typer.Option("--format", help="webp needs a third less space and is slower to read.", rich_help_panel=RARE),
    ] = "jpeg",
    quality: Annotated[
        int | None,
        typer.Option(
            min=1, max=100, help="1 to 100. Default: visually lossless.", show_default=False, rich_help_panel=RARE
        ),
    ] = None,
    shard_pairs: Annotated[
        int, typer.Option(metavar="N", min=1, help="Pairs in a shard.", rich_help_panel=RARE)
    ] = 5000,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the shards of another source or size in OUT.")
    ] = False,
    json: Json = False,
) -> None:
    """Pack a source into tar shards that are quick to train from.

    Pictures are resized once; keys, captions, labels and splits are kept. What cannot be read is dropped and named in
    OUT/dropped.jsonl. After an interruption the same command continues. A folder with other files is never touched.

    \b
    Examples:
      lexel data prepare photos.csv packed --size 256
      lexel train packed
    """
    from lexel.cli.printing import print_json
    from lexel.data.packing import PackSettings, pack
    from lexel.data.packing.manifest import DROPPED
    from lexel.data.readers import read_source
    from lexel.data.readers.column_settings import ColumnSettings

    named = ColumnSettings.from_changes(columns or [])
    settings = PackSettings(size=size, format=image_format, quality=quality, shard_pairs=shard_pairs)
    manifest = pack(
        source,
        lambda name: read_source(name, **named.arguments(), text_required=False),
        output,
        settings,
        reading=named.model_dump(mode="json", exclude_none=True),
        replace=replace,
    )
    summary = manifest.summary
    if json:
        print_json(summary)
        return
    shards = sum(map(len, manifest.shards.values()))
    print(
        f"{output}: {counted(summary['pairs'], 'pair')} with {counted(summary['captions'], 'caption')} in "
        f"{counted(shards, 'shard')}, {manifest.bytes / 1e6:,.1f} MB"
    )
    for split, of_split in manifest.shards.items():
        if split:
            print(f"  {split:<12} {counted(sum(shard.pairs for shard in of_split), 'pair')}")
    for reason, count in summary["dropped"].items():
        print(f"  dropped      {count:,}: {reason}; see {output / DROPPED}")
