"""`lexel data filter`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lexel.cli.options import Json, NoCache, NumberFormat, Runtime, chosen_model
from lexel.cli.verb import RARE
from lexel.terminal import counted, one_line

if TYPE_CHECKING:
    from lexel.curation.sources.filtering import FilteredSource

OUT = "What is written"
PICTURES, TEXTS, MODEL, WHOLE = "Pictures", "Texts", "By a model", "The whole set"


def filter(
    source: Annotated[
        str, typer.Argument(help="What to filter: any source that lexel train reads.", show_default=False)
    ],
    out: Annotated[Path, typer.Argument(help="A new folder for the pairs that stay.", show_default=False)],
    min_side: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Least length of the shorter side.", rich_help_panel=PICTURES)
    ] = None,
    max_aspect: Annotated[
        float | None,
        typer.Option(metavar="RATIO", help="Largest ratio of longer to shorter side.", rich_help_panel=PICTURES),
    ] = None,
    drop_flat: Annotated[
        bool, typer.Option("--drop-flat", help="Drop pictures of one colour.", rich_help_panel=PICTURES)
    ] = False,
    copies: Annotated[
        Literal["exact", "near", "semantic"] | None,
        typer.Option(
            metavar="KIND",
            help="Keep one of exact, near or semantic copies (semantic: --model).",
            rich_help_panel=WHOLE,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE", help="Drop pictures that this source has too, such as a test set.", rich_help_panel=WHOLE
        ),
    ] = None,
    cap: Annotated[
        int | None,
        typer.Option(metavar="N", help="Keep at most N pairs of each label, drawn at random.", rich_help_panel=WHOLE),
    ] = None,
    cap_by: Annotated[
        str,
        typer.Option(
            metavar="WHAT", help="What --cap counts: label, caption, word, or a file of entries.", rich_help_panel=WHOLE
        ),
    ] = "label",
    min_words: Annotated[int | None, typer.Option(metavar="N", help="Least words.", rich_help_panel=TEXTS)] = None,
    max_words: Annotated[int | None, typer.Option(metavar="N", help="Most words.", rich_help_panel=TEXTS)] = None,
    drop_text: Annotated[
        str | None, typer.Option(metavar="REGEX", help="Drop captions that match it.", rich_help_panel=TEXTS)
    ] = None,
    keep_text: Annotated[
        str | None, typer.Option(metavar="REGEX", help="Keep only captions that match it.", rich_help_panel=TEXTS)
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The model that judges them.", rich_help_panel=MODEL)
    ] = None,
    match: Annotated[
        float | None, typer.Option(metavar="0…1", help="Least match of a text with its picture.", rich_help_panel=MODEL)
    ] = None,
    top: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Keep this share of the texts: the best.", rich_help_panel=MODEL),
    ] = None,
    without: Annotated[
        str | None,
        typer.Option(
            metavar="CONCEPT", help="Drop pictures that show it: words or a trained concept.", rich_help_panel=MODEL
        ),
    ] = None,
    shards: Annotated[
        bool,
        typer.Option("--shards", help="Write tar shards as lexel data prepare does, not a table.", rich_help_panel=OUT),
    ] = False,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS", min=16, help="With --shards: length of the shorter side (256).", rich_help_panel=OUT
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="With --shards: replace those of another source or other rules.", rich_help_panel=OUT
        ),
    ] = False,
    columns: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Name columns: data.caption, …", rich_help_panel=RARE),
    ] = None,
    likeness: Annotated[
        float | None,
        typer.Option(
            metavar="0.5…1", help="Least likeness of near (0.98) or semantic (0.95) copies.", rich_help_panel=RARE
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random draw of --cap.", rich_help_panel=RARE)] = 0,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    no_cache: NoCache = False,
    json: Json = False,
) -> None:
    """Drop bad pairs: write a new table, or shards, of what stays. The source is never touched.

    Unreadable pictures are always dropped. A rule about texts drops single captions.

    \b
    Example:
      lexel data filter web/ clean --min-side 64 --copies near --against test/
      lexel data filter web/ best --model ViT-B-32/openai --top 0.7
      lexel data filter web/ packed --min-side 64 --shards --size 256
    """
    from lexel.batches import cores
    from lexel.cli.printing import print_json
    from lexel.curation.sources.filtering import filter_source
    from lexel.curation.sources.rules import FilterRules
    from lexel.curation.sources.shard_writing import check_shard_output, filter_job, write_filtered_shards
    from lexel.curation.sources.writing import check_new_output, write_filtered
    from lexel.data.packing import PackSettings
    from lexel.data.readers import read_source
    from lexel.data.readers.column_settings import ColumnSettings
    from lexel.data.readers.source import check_there
    from lexel.errors import UsageError
    from lexel.evaluation.evaluation_cache import default_cache
    from lexel.progress import say

    rules = FilterRules.checked(
        min_side=min_side,
        max_aspect=max_aspect,
        drop_flat=drop_flat,
        min_words=min_words,
        max_words=max_words,
        drop_text=drop_text,
        keep_text=keep_text,
        match=match,
        top=top,
        without=without,
        copies=copies,
        likeness=likeness,
        cap=cap,
        cap_by=cap_by,
        seed=seed,
    )
    choice = chosen_model(model, runtime, number_format)
    named = ColumnSettings.from_changes(columns or [])
    if size is not None and not shards:
        raise UsageError("--size is for --shards: a table points at the pictures as they are.")
    if replace and not shards:
        raise UsageError("--replace is for --shards: a table is only written where nothing is.")
    settings = PackSettings() if size is None else PackSettings(size=size)
    reading = named.model_dump(mode="json", exclude_none=True)
    job = filter_job(source, rules, settings, model=model, against=against, columns=reading)
    if shards:
        check_shard_output(out, job, replace=replace)
    else:
        check_new_output(out)
    for given in (source, against):
        if given is not None:
            check_there(given)
    encoder = rules.encoder(choice)
    found = read_source(source, **named.arguments(), text_required=False, keep_columns=True)
    for note in found.notes:
        say(note)
    outcome = filter_source(
        found,
        rules,
        against=read_source(against, text_required=False) if against is not None else None,
        encoder=encoder,
        cache=None if no_cache else default_cache(),
        processes=cores(),
    )
    if shards:
        manifest = write_filtered_shards(outcome, rules, out, job, replace=replace)
        written = {"shards": sum(map(len, manifest.shards.values())), "not_stored": manifest.summary["dropped"]}
    else:
        written = {"table": str(write_filtered(outcome, rules, out))}
    if json:
        print_json(outcome.to_json() | {"folder": str(out)} | written)
    else:
        _show(outcome, out, written)


def _show(outcome: "FilteredSource", out: Path, written: dict[str, Any]) -> None:
    facts = outcome.to_json()
    stay = counted(facts["images"], "image stays", "images stay")
    name = written.get("table", out)
    print(f"{name}: {facts['pairs']:,} of {stay}, with {counted(facts['captions'], 'caption')}.")
    for reason, count in outcome.dropped.items():
        example = next(one for one in outcome.removed if one.reason == reason)
        detail = f" ({one_line(example.detail[:60])})" if example.detail else ""
        print(f"  {count:>9,} {REASONS[reason]}, such as {one_line(example.key)}{detail}")
    for reason, count in outcome.captions_removed.items():
        print(f"  {count:>9,} {'caption' if count == 1 else 'captions'}: {REASONS[reason]}")
    for reason, count in written.get("not_stored", {}).items():
        print(f"  {count:>9,} could not be stored: {reason}; see {out / 'dropped.jsonl'}")
    if "shards" in written:
        print(f"{counted(written['shards'], 'shard')} in {out}: lexel train {out}")
    print(f"Each pair that went, and why: {out / 'removed.jsonl'}")


REASONS = {
    "unreadable": "cannot be read",
    "small": "too small",
    "aspect": "too long and thin",
    "flat": "of one colour",
    "in_other": "in the other source too",
    "near_in_other": "nearly in the other source too",
    "short_text": "too few words",
    "long_text": "too many words",
    "drop_text": "with the text to be dropped",
    "keep_text": "without the text to be kept",
    "no_text": "without text that could match",
    "low_match": "matching too weakly",
    "not_top": "not among the best matches",
    "concept": "showing the concept",
    "duplicate": "the same as another",
    "near_duplicate": "nearly the same as another",
    "semantic_duplicate": "showing what another shows",
    "no_entry": "with none of the entries",
    "frequent": "of an entry that is frequent",
}
