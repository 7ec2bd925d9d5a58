# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A recording and its descriptions as the content of a page."""

from collections.abc import Sequence
from pathlib import Path
import shlex

from caption_node.bag.descriptions import RecordedDescription
from caption_node.bag.reader import BagReader
from caption_node.errors import BagError
from caption_node.web.events import find_events
from caption_node.web.page import PageContent
from caption_node.web.thumbnails import (
    Thumbnails,
    choose_frames,
    make_thumbnails,
    nearest_pictures,
)

_MOST_FAULTS = 10


def recording_content(
    path: Path,
    described: Sequence[RecordedDescription],
    images: Path | None,
    thumbnails: int,
    damage: Sequence[BagError] = (),
) -> PageContent:
    """
    Gather what the page of a recording shows.

    :param path: What the page is about, and what its commands play.
    :param described: In any order.
    :param images: Recording with the images, None if there is none.
    :param thumbnails: At most so many pictures.
    :param damage: What of the recording could not be read.
    :raises BagError: If the images cannot be read.
    """
    ordered = sorted(described, key=lambda d: d.log_time_ns)
    frames = [d.description for d in ordered]
    times_ns = [d.log_time_ns for d in ordered]
    pictures, start_ns = Thumbnails(), times_ns[0] if times_ns else 0
    faults = [str(d) for d in damage]
    if images is not None:
        begins = [e.index for e in find_events(frames, times_ns)]
        chosen = choose_frames(len(frames), begins, thumbnails)
        with BagReader(images) as reader:
            start_ns = reader.start_ns
            pictures = make_thumbnails(reader.images(), frames, chosen)
            faults += [str(d) for d in reader.damage]
        faults += pictures.failed
    played = shlex.quote(str(images or path))
    return PageContent(
        title=path.name or str(path),
        facts=[*_facts(path, ordered), *_shortened(list(dict.fromkeys(faults)))],
        frames=frames,
        times_ns=times_ns,
        thumbnails=pictures.jpegs,
        picture_frames=pictures.frames,
        thumbnail_of=nearest_pictures(frames, times_ns, pictures.frames),
        commands=[
            f'ros2 bag play {played} --start-offset OFFSET',
            f'caption replay {played} --start-offset OFFSET',
        ],
        offset_s=(times_ns[0] - start_ns) / 1e9 if times_ns else 0.0,
    )


def _facts(path: Path, described: Sequence[RecordedDescription]) -> list[str]:
    frames = [d.description for d in described]
    facts = [str(path), f'{len(frames)} frames']
    if described:
        seconds = (described[-1].log_time_ns - described[0].log_time_ns) / 1e9
        facts.append(f'{seconds:.1f} s')
    for status in ('abstain', 'error', 'stale'):
        number = sum(f.status == status for f in frames)
        if number:
            facts.append(f'{number} {status}')
    facts += sorted({f'{f.model.name} {f.model.sha256[:12]} on {f.model.backend}' for f in frames})
    return facts


def _shortened(faults: Sequence[str]) -> list[str]:
    rest = len(faults) - _MOST_FAULTS
    return [*faults[:_MOST_FAULTS], *([f'and {rest} faults more'] if rest > 0 else [])]
