# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption evaluate --streaming``: what a subscriber knows at every labelled instant."""

import argparse
from collections.abc import Callable, Mapping
import math
from pathlib import Path
import shutil
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from caption_node.bag.reader import BagReader
from caption_node.bag.storage import Topic
from caption_node.batching import describe_all
from caption_node.commands.evaluate_files import write_results
from caption_node.commands.lines import say
from caption_node.commands.progress import Progress
from caption_node.description import SceneDescription
from caption_node.errors import BackendUnavailableError, ConfigError, InferenceError
from caption_node.evaluation.event_delay import HeldEvent, Report, pair_reports
from caption_node.evaluation.predictions import Prediction
from caption_node.evaluation.streaming import (
    Arrival,
    Instant,
    StreamingEvaluation,
    evaluate_streaming,
)
from caption_node.evaluation.streaming_report import (
    FORMAT_VERSION,
    streaming_json,
    streaming_tables,
)
from caption_node.evaluation.tables import Table
from caption_node.labelling.labelled_images import ImageKey, LabelledImages, read_labelled_images
from caption_node.ros.recorded_cameras import choose_cameras

if TYPE_CHECKING:
    from caption_node.ros.listener import Heard
    from caption_node.ros.session import Play, Result

_LEAST_RATE, _MOST_RATE = 0.05, 20.0


def run_streaming(
    options: argparse.Namespace, show: Callable[[dict[str, Any], list[Table]], None]
) -> int:
    """
    Play, describe at leisure, measure.

    :param show: Prints the figures, as one object and as tables.
    :returns: The exit status: 1 if parts of the recording could not be read.
    """
    _check(options)
    try:
        # First of all: nobody should wait for pictures to learn that ROS is missing.
        from caption_node.ros.session import play
    except ImportError as err:
        raise BackendUnavailableError(
            f'ROS 2 or caption_msgs is not importable ({err}): without them there is no node to '
            'play into',
            'run scripts/setup.sh, or source the setup file of your ROS 2 workspace; without ROS, '
            '--frames and --predictions measure at leisure',
        ) from err
    bag = Path(options.streaming)
    with BagReader(bag) as reader:
        known = read_labelled_images(
            reader,
            Path(options.labels) if options.labels else None,
            options.labels_topic,
            [t.name for t in reader.image_topics(options.topics)],
        )
        labelled = {camera for camera, _ in known.frames}
        cameras = choose_cameras([t for t in reader.image_topics() if t.name in labelled])
        duration_s = min(options.playback_duration or math.inf, max(reader.duration_s, 1e-3))
        if known.strangers:
            say(f'warning: {known.strangers} labels belong to no image and are left out')
        # What node and replay print stays there after an error, whose hint names it.
        logs = mkdtemp(prefix='caption_streaming_')
        result = play(_play(options, cameras, duration_s), Path(logs), _shown(options))
        shutil.rmtree(logs, ignore_errors=True)
        if not result.heard:
            raise InferenceError('the node has described none of the images that were played')
        instants = _instants(known, cameras, result)
        offline = _describe(options, reader, {(i.camera, _stamp(i)) for i in instants})
        measured = evaluate_streaming(
            instants,
            _arrivals(known, cameras, result),
            offline,
            _events(known, cameras, result),
            len(result.sent_s),
            options.rate,
        )
        _finish(options, measured, show)
        for damage in reader.damage:
            say(f'error: {damage}')
        return 1 if reader.damage else 0


def _check(options: argparse.Namespace) -> None:
    if not _LEAST_RATE <= options.rate <= _MOST_RATE:
        raise ConfigError(
            f'--rate is {options.rate:g}, allowed is {_LEAST_RATE:g} to {_MOST_RATE:g}'
        )
    if options.labels and options.labels_topic:
        raise ConfigError('labels come from --labels or from --labels-topic, not from both')
    if options.split or options.source or options.diagram:
        raise ConfigError('--split, --source and --diagram do not go with --streaming')
    if options.sentences != 'model':
        raise ConfigError('--streaming measures the node, whose sentences are those of the model')


def _play(options: argparse.Namespace, cameras: Mapping[str, Topic], duration_s: float) -> 'Play':
    from caption_node.ros.session import Play

    if not options.quiet:
        say(
            f'caption: playing {duration_s:.1f} s of {options.streaming} into the node at rate '
            f'{options.rate:g}: {", ".join(t.name for t in cameras.values())}'
        )
    return Play(
        bag=Path(options.streaming),
        topics={t.name: t.type for t in cameras.values()},
        cameras={t.name: name for name, t in cameras.items()},
        duration_s=duration_s,
        rate=options.rate,
        model=options.model,
        backend=options.backend,
        hears_images=False,
    )


def _shown(options: argparse.Namespace) -> Callable[['Heard', float], None]:
    due_s = [10.0]

    def show(heard: 'Heard', time_s: float) -> None:
        if not options.quiet and time_s >= due_s[0]:
            due_s[0] = time_s + 10.0
            say(f'caption: {time_s:.0f} s: {heard.description.caption}')

    return show


def _instants(
    known: LabelledImages, cameras: Mapping[str, Topic], result: 'Result'
) -> list[Instant]:
    """Return the labelled images that were published."""
    found = []
    for (camera, stamp_ns), frame in known.frames.items():
        log_ns = known.log_times_ns[camera, stamp_ns]
        at_s = result.sent_s.get((camera, log_ns))
        if at_s is not None:
            found.append(Instant(frame, camera, log_ns / 1e9, at_s))
    if not found:
        raise ConfigError(
            'no labelled image was played',
            f'the cameras are {", ".join(t.name for t in cameras.values())}; '
            'is --playback-duration too short?',
        )
    return found


def _stamp(instant: Instant) -> int:
    return int(instant.frame.id.rpartition(' ')[2])


def _arrivals(
    known: LabelledImages, cameras: Mapping[str, Topic], result: 'Result'
) -> list[Arrival]:
    found = []
    for heard in result.heard:
        said = heard.description
        place = _place(known, cameras, said.camera, said.stamp_ns)
        sent_s = None if place is None else result.sent_s.get(place)
        if place is not None and sent_s is not None:
            camera, log_ns = place
            spoken = Prediction.from_description(said)
            found.append(Arrival(camera, log_ns / 1e9, sent_s, heard.heard_s, spoken))
    return found


def _events(
    known: LabelledImages, cameras: Mapping[str, Topic], result: 'Result'
) -> list[HeldEvent]:
    reports = []
    for heard in result.events:
        event = heard.event
        place = _place(known, cameras, event.camera, event.stamp_ns)
        if place is not None:
            camera, log_ns = place
            reports.append(
                Report(camera, event.kind, event.value, event.phase, log_ns / 1e9, heard.heard_s)
            )
    return pair_reports(reports)


def _place(
    known: LabelledImages, cameras: Mapping[str, Topic], name: str, stamp_ns: int
) -> tuple[str, int] | None:
    """Return topic and log time of the image that the node speaks of."""
    topic = cameras.get(name)
    if topic is None:
        return None
    log_ns = known.log_times_ns.get((topic.name, stamp_ns))
    return None if log_ns is None else (topic.name, log_ns)


def _describe(
    options: argparse.Namespace, reader: BagReader, wanted: set[ImageKey]
) -> dict[str, Prediction]:
    """Describe the labelled images at leisure, each for itself."""
    from caption_node.pipeline import CaptionPipeline

    names = sorted({camera for camera, _ in wanted})
    images = (i for i in reader.images(names) if (i.camera, i.stamp_ns) in wanted)
    found: dict[str, Prediction] = {}
    with (
        CaptionPipeline.open(options.model, options.backend, options.threads) as pipeline,
        Progress(len(wanted), options.quiet, label='at leisure: ') as progress,
    ):
        batch = min(options.batch, pipeline.bundle.max_batch)
        for item in describe_all(pipeline, images, batch):
            said: SceneDescription = item.description
            progress.advance(said.status == 'error')
            # Of images with one stamp the first counts, as everywhere.
            found.setdefault(
                f'{item.source.camera} {item.source.stamp_ns}', Prediction.from_description(said)
            )
    return found


def _finish(
    options: argparse.Namespace,
    measured: StreamingEvaluation,
    show: Callable[[dict[str, Any], list[Table]], None],
) -> None:
    data = {
        'format_version': FORMAT_VERSION,
        'recording': str(options.streaming),
        'rate': options.rate,
        **streaming_json(measured),
    }
    tables = streaming_tables(measured)
    if options.output:
        write_results(Path(options.output), 'streaming', data, tables)
    show(data, tables)
