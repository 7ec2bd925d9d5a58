# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Frames in, descriptions out: the one place where the way of a frame reads top to bottom.

    frames -> letterbox -> backend.run(batch) -> words, boxes, fields -> trust -> descriptions
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from caption_node.backends.protocol import Backend, Outputs, SourceBackend
from caption_node.backends.registry import open_backend
from caption_node.bundle import Bundle, find_bundle
from caption_node.closing import Closed
from caption_node.description import (
    COUNT_BUCKETS,
    FIELDS,
    MAX_COUNT,
    Field,
    FieldValue,
    ModelInfo,
    SceneDescription,
    SceneObject,
)
from caption_node.errors import ConfigError
from caption_node.evaluation.denials import support
from caption_node.frame import Frame
from caption_node.grounding import name_hazard, place_object
from caption_node.preprocess import Letterbox, letterbox
from caption_node.rule_sentences import rule_sentence
from caption_node.sampling import Sampler, Wish
from caption_node.trust import Trust, disagreement, word_confidence

SENTENCES = ('model', 'rules')


class CaptionPipeline(Closed):
    """
    A model with a backend, ready to describe frames; for one thread at a time.

    :param bundle: The model.
    :param backend: Runs the model's graph.
    :param sentences: Who words the sentence: one of :data:`SENTENCES`.
    """

    def __init__(self, bundle: Bundle, backend: Backend, sentences: str = 'model') -> None:
        if sentences == 'rules' and not bundle.is_of_driving:
            raise ConfigError('the rules for sentences are about driving, this model is not')
        self._rules = sentences == 'rules'
        self.bundle = bundle
        self.backend = backend
        self.model = self._model_info()
        self._trust = Trust.of(bundle)
        self._sampler = Sampler(bundle, backend)
        shape = (bundle.max_batch, bundle.height, bundle.width, 3)
        self._images: NDArray[np.uint8] = np.zeros(shape, dtype=np.uint8)

    @classmethod
    def open(
        cls,
        model: str | Path | None = None,
        backend: str = 'auto',
        threads: int = 0,
        on_remark: Callable[[str], None] | None = None,
        sentences: str = 'model',
    ) -> 'CaptionPipeline':
        """
        Load a model folder and start a backend.

        :param model: Folder, or name of a shipped model; None is the default model.
        :param backend: ``auto`` or a name in the registry.
        :param threads: CPU threads of one run; 0 lets the runtime choose.
        :param on_remark: Takes lines for people: which backend was taken, and why.
        :param sentences: ``model``: as it learnt them; ``rules``: by grammar, from its fields and
            boxes.
        :raises BundleError: If the folder is incomplete or altered.
        :raises BackendUnavailableError: If the backend's library or device is missing.
        """
        bundle = Bundle.load(find_bundle(model))
        return cls(bundle, open_backend(backend, bundle, threads, on_remark=on_remark), sentences)

    def describe(self, frames: Sequence[Frame]) -> list[SceneDescription]:
        """
        Describe up to ``bundle.max_batch`` frames, of one or several cameras, in one run.

        :returns: One description a frame, in the same order.
        :raises ConfigError: If there are more frames than the model takes.
        :raises InferenceError: If the runtime fails.
        """
        if not frames:
            return []
        if len(frames) > self.bundle.max_batch:
            raise ConfigError(f'{len(frames)} frames at once, at most {self.bundle.max_batch}')
        start = perf_counter()
        batch = self._images[: len(frames)]
        sources = [frame.pixels_rgb for frame in frames]
        if isinstance(self.backend, SourceBackend) and self.backend.takes_sources:
            boxed = start  # scaling is part of the run
            outputs, fits = self.backend.run_sources(sources, batch)
        else:
            fits = [
                letterbox(source, self.bundle.height, self.bundle.width, out)[1]
                for source, out in zip(sources, batch, strict=True)
            ]
            boxed = perf_counter()
            outputs = self.backend.run(batch)
        ran = perf_counter()
        self.model = self._model_info()  # a backend may change over to a better one
        descriptions = []
        for i, (frame, fit) in enumerate(zip(frames, fits, strict=True)):
            begun = perf_counter()
            said = self._interpret(frame, batch[i], fit, outputs, i)
            latency_ms = {
                'decode': frame.decode_ms,
                'preprocess': (boxed - start) * 1e3,
                'inference': (ran - boxed) * 1e3,
                'postprocess': (perf_counter() - begun) * 1e3,
            }
            descriptions.append(replace(said, latency_ms=latency_ms))
        return descriptions

    def describe_several(self, frame: Frame, wish: Wish) -> SceneDescription:
        """
        Describe one frame as :meth:`describe` does, with other sentences beside the usual one.

        :raises ConfigError: If the model cannot give several.
        :raises InferenceError: If the runtime fails.
        """
        if self._rules:
            raise ConfigError('rules give one sentence of a frame, the model gives several')
        said = self.describe([frame])[0]

        def doubt(text: str) -> str:
            return self._doubt_words(text, said.scene, said.objects)

        def supported(text: str) -> float:
            return self._support(text, said.scene)

        drawn = self._sampler.draw(self._images[:1], wish, doubt, supported)
        return replace(said, samples=drawn)

    def _model_info(self) -> ModelInfo:
        bundle, backend = self.bundle, self.backend
        return ModelInfo(bundle.name, bundle.sha256, backend.name, backend.precision)

    def _interpret(
        self, frame: Frame, image: NDArray[np.uint8], fit: Letterbox, outputs: Outputs, i: int
    ) -> SceneDescription:
        scene = self._read_fields(outputs.scene[i])
        objects = self._read_objects(outputs, i, fit)
        caption, confidence = self._read_sentence(outputs, i, scene, objects)
        reason = self._trust.doubt(frame, fit.inner(image), outputs.embedding[i])
        drive = self.bundle.is_of_driving
        reason = reason or self._doubt_words(caption, scene, objects)
        if not reason and not self._rules and confidence < self.bundle.abstain['confidence']:
            reason = 'the sentence is uncertain'
        return SceneDescription(
            stamp_ns=frame.stamp_ns,
            frame_id=frame.frame_id,
            camera=frame.camera,
            file=frame.file,
            caption=caption,
            confidence=confidence,
            status='abstain' if reason else 'ok',
            reason=reason,
            scene=scene,
            hazard=name_hazard(scene, objects) if drive else 'none',
            objects=objects,
            model=self.model,
            embedding=outputs.embedding[i],
        )

    def _doubt_words(
        self, caption: str, scene: Mapping[str, FieldValue], objects: Sequence[SceneObject]
    ) -> str:
        return disagreement(caption, scene, objects) if self.bundle.is_of_driving else ''

    def _read_sentence(
        self,
        outputs: Outputs,
        i: int,
        scene: Mapping[str, FieldValue],
        objects: Sequence[SceneObject],
    ) -> tuple[str, float]:
        if self._rules:
            return rule_sentence(scene, objects)
        tokens = outputs.tokens[i]
        caption = self.bundle.vocabulary.decode(tokens.tolist())
        confidence = word_confidence(
            outputs.token_logp[i],
            tokens,
            self.bundle.caption_confidence,
            self._support(caption, scene),
        )
        return caption, confidence

    def _support(self, caption: str, scene: Mapping[str, FieldValue]) -> float:
        return support(caption, scene) if self.bundle.is_of_driving else 1.0

    def _read_fields(self, logits: NDArray[np.float32]) -> dict[str, FieldValue]:
        scene = {}
        for name, spec in self.bundle.table.items():
            piece = self.bundle.fields[name]
            raw = logits[piece.start : piece.start + piece.width]
            scene[name] = read_field(spec, raw, piece.temperature)
        if not self.bundle.is_of_driving:
            return scene
        if (scene['lead'].value == 'none') != (scene['lead_range'].value == 'none'):
            # The two heads contradict each other: the surer one decides.
            scene['lead'], scene['lead_range'] = self._settle_lead(scene, logits)
        return scene

    def _settle_lead(
        self, scene: dict[str, FieldValue], logits: NDArray[np.float32]
    ) -> tuple[FieldValue, FieldValue]:
        lead, lead_range = scene['lead'], scene['lead_range']
        none_wins = (lead if lead.value == 'none' else lead_range).confidence >= (
            lead_range if lead.value == 'none' else lead
        ).confidence
        settled = []
        for name in ('lead', 'lead_range'):
            piece = self.bundle.fields[name]
            raw = logits[piece.start : piece.start + piece.width] / piece.temperature
            p = _softmax(raw)
            best = 0 if none_wins else 1 + int(p[1:].argmax())
            settled.append(FieldValue(FIELDS[name].values[best], float(p[best])))
        return settled[0], settled[1]

    def _read_objects(self, outputs: Outputs, i: int, fit: Letterbox) -> tuple[SceneObject, ...]:
        boxes = fit.boxes_to_source(outputs.boxes[i])
        found = []
        for box, number, score in zip(
            boxes.tolist(),
            outputs.box_class[i].tolist(),
            outputs.box_score[i].tolist(),
            strict=True,
        ):
            if score <= 0:
                continue
            name = self.bundle.classes[number]
            if score < self.bundle.score_thresholds[name] or box[2] <= box[0] or box[3] <= box[1]:
                continue
            found.append(place_object(name, score, tuple(box), fit.source_width))
        return tuple(found)

    def forget(self) -> None:
        """Forget the frames so far: what comes next is another drive, or another part of one."""
        self._trust.forget()

    def close(self) -> None:
        """Free the backend."""
        self._sampler.close()
        self.backend.close()


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    e = np.exp(logits.astype(np.float64) - float(logits.max()))
    return np.asarray(e / e.sum(), dtype=np.float64)


def read_field(spec: Field, logits: NDArray[np.float32], temperature: float) -> FieldValue:
    """
    Return the likeliest value and how sure it is; the temperature changes the latter only.

    :param logits: (width,) of this field.
    """
    if spec.kind == 'boolean':
        p = 1.0 / (1.0 + float(np.exp(-np.clip(logits[0] / temperature, -30, 30))))
        return FieldValue(p >= 0.5, max(p, 1.0 - p))
    probability = _softmax(logits / temperature)
    if spec.kind == 'categorical':
        best = int(probability.argmax())
        return FieldValue(spec.values[best], float(probability[best]))
    # Nobody agrees on whether there are nine or ten: the likeliest bucket, and the likeliest count
    # in it. The confidence is the bucket's.
    bounds = [*COUNT_BUCKETS, MAX_COUNT + 1]
    best = int(np.add.reduceat(_softmax(logits), COUNT_BUCKETS).argmax())
    inside = slice(bounds[best], bounds[best + 1])
    count = bounds[best] + int(logits[inside].argmax())
    return FieldValue(count, min(1.0, float(probability[inside].sum())))
