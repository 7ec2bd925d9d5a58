# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption search``: moments that answer a question, and how to play them."""

import argparse
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
import shlex
from typing import Any

from caption_node.bag.index import Found, Moment, Query, open_index
from caption_node.commands.lines import print_line, print_text, say
from caption_node.errors import ConfigError

LEAD_IN_S = 1.0
"""Players begin so much before a moment and end so much behind it."""


def run(options: argparse.Namespace) -> int:
    """
    Search the index.

    :returns: 0 if something was found, else 1, as ``grep`` does.
    """
    text = ' '.join(options.text)
    if not (text.strip() or options.where or options.like or options.last):
        raise ConfigError(
            'nothing to look for', 'give words, --where FILTER, --like IMAGE or --last N'
        )
    query = Query(text, options.where, limit=options.limit, last=options.last, gap_s=options.gap)
    with open_index(options.index) as index:
        # A wrong filter is found out before the model loads.
        if options.like:
            index.search(replace(query, limit=1))
            query = _with_picture(query, options)
        found = index.search(query)
    for note in found.notes:
        say(f'caption: {note}')
    if options.json:
        for rank, moment in enumerate(found.moments, 1):
            print_line(moment_to_json(moment, rank))
    else:
        _print(found)
    return 0 if found.moments else 1


def moment_to_json(moment: Moment, rank: int) -> dict[str, Any]:
    """Return the JSON object of one moment."""
    best = moment.best.to_json()
    best.pop('latency_ms', None)
    return {
        'rank': rank,
        'bag': moment.bag,
        'topic': moment.topic,
        'start_ns': moment.start_ns,
        'end_ns': moment.end_ns,
        'start_offset_s': round(moment.start_offset_s, 3),
        'duration_s': round(moment.duration_s, 3),
        'frames': moment.frames,
        'score': moment.score,
        'similarity': None if moment.similarity is None else round(moment.similarity, 4),
        'best': best,
        'play': play_command(moment),
        'replay': replay_command(moment),
        'clip': clip_command(moment),
    }


def play_command(moment: Moment) -> str:
    """Return the command that plays a moment on a ROS 2 machine."""
    start_s, length_s = _span(moment)
    return (
        f'ros2 bag play {_quote(moment.bag)} --start-offset {start_s:.1f} '
        f'--playback-duration {length_s:.1f}'
    )


def replay_command(moment: Moment) -> str:
    """Return the command that plays a moment with this package."""
    start_s, length_s = _span(moment)
    return (
        f'caption replay {_quote(moment.bag)} --start-offset {start_s:.1f} '
        f'--playback-duration {length_s:.1f}'
    )


def clip_command(moment: Moment) -> str:
    """Return the command that cuts a moment out."""
    start_s, length_s = _span(moment)
    name = f'{Path(moment.bag).stem}_{start_s:.1f}s.mcap'
    return (
        f'caption clip {_quote(moment.bag)} --start-offset {start_s:.1f} '
        f'--playback-duration {length_s:.1f} -o {_quote(name)}'
    )


def _span(moment: Moment) -> tuple[float, float]:
    start_s = max(0.0, moment.start_offset_s - LEAD_IN_S)
    end_s = moment.start_offset_s + moment.duration_s + LEAD_IN_S
    return start_s, end_s - start_s


def _quote(path: str) -> str:
    # A name that begins with a minus would be taken for an option.
    return shlex.quote(f'./{path}' if path.startswith('-') else path)


def _print(found: Found) -> None:
    for rank, moment in enumerate(found.moments, 1):
        when = datetime.fromtimestamp(moment.start_ns / 1e9, timezone.utc)
        likeness = '' if moment.similarity is None else f', similarity {moment.similarity:.3f}'
        print_text(
            f'{rank}. {when:%Y-%m-%d %H:%M:%S} UTC, {moment.start_offset_s:.1f} s into '
            f'{moment.bag}, {moment.topic}\n'
            f'   {moment.duration_s:.1f} s, {moment.frames} frames, score {moment.score:.2f}'
            f'{likeness}: {moment.best.caption}\n'
            f'   {play_command(moment)}\n'
            f'   {replay_command(moment)}\n'
            f'   {clip_command(moment)}'
        )
    say(f'caption: {found.moments_in_all} moments, {found.rows} frames, {found.elapsed_ms:.1f} ms')


def _with_picture(query: Query, options: argparse.Namespace) -> Query:
    from caption_node.frame import Frame
    from caption_node.image_codec import decode_image
    from caption_node.pipeline import CaptionPipeline

    path = Path(options.like)
    try:
        data = path.read_bytes()
    except OSError as err:
        raise ConfigError(f'{path} cannot be read: {err.strerror or err}') from err
    pixels = decode_image(data, str(path))
    with CaptionPipeline.open(options.model, options.backend, options.threads) as pipeline:
        (said,) = pipeline.describe([Frame(pixels, file=str(path))])
        return replace(query, like=said.embedding, like_model=pipeline.model)
