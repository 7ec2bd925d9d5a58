# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo plays: our own rendered drive, or a bag, video or pictures of the user's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from caption_node.bag.reader import BagReader
from caption_node.bag.writer import BagWriter
from caption_node.commands.render import FRAME_ID, START_NS, TOPIC, encode_jpeg, write_drive
from caption_node.errors import CaptionError, ConfigError, FrameError
from caption_node.image_codec import IMAGE_SUFFIXES, decode_image
from caption_node.ros.recorded_cameras import choose_cameras
from caption_node.scenes import SceneTruth
from caption_node.video import VIDEO_SUFFIXES, VideoReader

Note = Callable[[str], None]

RATE_HZ = 10.0
SIZE = (960, 540)
PICTURE_S = 0.5
"""How long each picture of a folder stands: they are independent of each other."""
_BAG_SUFFIXES = ('.mcap', '.db3', '.bag')


@dataclass(frozen=True, slots=True)
class Recording:
    """
    A bag of camera images, and what is known of it.

    :param topics: Image topics with the name of their message type.
    :param cameras: Name of the camera of each topic.
    :param frames: Images on those topics within ``duration_s``.
    :param rate_hz: Images per second of the busiest topic.
    :param truth: What is true of rendered frames, by stamp; empty for anything else.
    """

    bag: Path
    topics: dict[str, str]
    cameras: dict[str, str]
    frames: int
    duration_s: float
    rate_hz: float
    truth: dict[int, SceneTruth] = field(default_factory=dict)


def render_recording(out: Path, seconds: float, seed: int, note: Note) -> Recording:
    """Render a drive into ``out/demo_drive.mcap``."""
    bag = _fresh(out / 'demo_drive.mcap')
    total = max(1, round(seconds * RATE_HZ))

    def advance(done: int) -> None:
        note(f'rendering the drive: {done} of {total} frames')

    truth = write_drive(bag, seconds, seed, RATE_HZ, SIZE, advance)
    return _inspect(bag, seconds, truth)


def open_recording(path: Path, out: Path, seconds: float, note: Note) -> Recording:
    """
    Open a bag, or turn a video or pictures into one.

    :param seconds: Use no more than so much of it.
    :raises CaptionError: If there is nothing that could be played.
    """
    if not path.exists():
        raise ConfigError(
            f'{path} does not exist', 'INPUT is a bag, a video or a folder of images'
        )
    suffix = path.suffix.lower()
    if path.is_dir() and not (path / 'metadata.yaml').exists() and not _holds_bag(path):
        return _pictures(path, out, seconds, note)
    if suffix in IMAGE_SUFFIXES:
        return _pictures(path, out, seconds, note)
    if suffix in VIDEO_SUFFIXES:
        return _video(path, out, seconds, note)
    if path.is_dir() or suffix in _BAG_SUFFIXES:
        return _inspect(path, seconds, {})
    raise ConfigError(
        f'{path} is no bag, video or picture by its name',
        f'bags end in {", ".join(_BAG_SUFFIXES)}, videos in {", ".join(VIDEO_SUFFIXES)}',
    )


def _holds_bag(folder: Path) -> bool:
    return any(f.suffix in _BAG_SUFFIXES for f in folder.iterdir())


def _fresh(bag: Path) -> Path:
    """Make room for a recording of ours."""
    try:
        bag.parent.mkdir(parents=True, exist_ok=True)
        bag.unlink(missing_ok=True)
    except OSError as err:
        raise ConfigError(
            f'{bag} cannot be written: {err.strerror or err}', 'give another folder with --out'
        ) from err
    return bag


def _pictures(path: Path, out: Path, seconds: float, note: Note) -> Recording:
    """Put pictures into a bag; those that cannot be decoded are named and left out."""
    files = [path]
    if path.is_dir():
        files = sorted(f for f in path.rglob('*') if f.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise ConfigError(
            f'{path} holds no pictures', f'pictures end in {", ".join(IMAGE_SUFFIXES)}'
        )
    most = max(1, int(seconds / PICTURE_S))
    bag = _fresh(out / 'demo_input.mcap')
    written = 0
    with BagWriter(bag) as writer:
        for file in files[:most]:
            try:
                pixels = decode_image(file.read_bytes(), str(file))
            except (CaptionError, OSError) as err:
                note(f'warning: left out: {err}\n')
                continue
            stamp_ns = START_NS + round(written * PICTURE_S * 1e9)
            writer.write_compressed_image(TOPIC, stamp_ns, FRAME_ID, encode_jpeg(pixels))
            written += 1
            note(f'reading pictures: {written} of {min(most, len(files))}')
    if written == 0:
        raise FrameError(f'no picture in {path} can be decoded')
    return _inspect(bag, seconds, {})


def _video(path: Path, out: Path, seconds: float, note: Note) -> Recording:
    """Put the beginning of a video into a bag."""
    bag = _fresh(out / 'demo_input.mcap')
    written = 0
    with BagWriter(bag) as writer, VideoReader(path) as video:
        for frame in video.frames(1 / RATE_HZ):
            if frame.stamp_ns > seconds * 1e9:
                break
            stamp_ns = START_NS + frame.stamp_ns
            jpeg = encode_jpeg(frame.pixels_rgb)
            writer.write_compressed_image(TOPIC, stamp_ns, FRAME_ID, jpeg)
            written += 1
            note(f'reading {path.name}: {written} frames')
        for damage in video.damage:
            note(f'warning: {damage}\n')
    if written == 0:
        raise FrameError(f'{path} holds no frame that can be decoded')
    return _inspect(bag, seconds, {})


def _inspect(bag: Path, seconds: float, truth: dict[int, SceneTruth]) -> Recording:
    """Find the image topics of a bag, and how many images they carry in the time."""
    with BagReader(bag) as reader:
        named = choose_cameras(reader.image_topics())
        chosen = {topic.name: topic.type for topic in named.values()}
        end_ns = reader.start_ns + round(seconds * 1e9)
        counts = dict.fromkeys(chosen, 0)
        for image in reader.images(list(chosen)):
            if image.log_time_ns > end_ns:
                break
            counts[image.camera] += 1
        duration_s = min(seconds, max(reader.duration_s, 1e-3))
    frames = sum(counts.values())
    if frames == 0:
        raise ConfigError(f'{bag} holds no images in its first {seconds:g} s')
    cameras = {topic.name: name for name, topic in named.items()}
    rate_hz = max(1, max(counts.values()) - 1) / max(duration_s, 0.1)
    return Recording(bag, chosen, cameras, frames, duration_s, rate_hz, truth)
