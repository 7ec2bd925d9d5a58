# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What the node may do under SROS 2, and nothing else: its exact topics and services.

    python -m caption_node.ros.security_policy [--namespace /car] [--cameras front=/image,...]
    ros2 security create_permission KEYSTORE /caption_node caption_node.policy.xml

Parameters are reached through services, so they are guarded by these. Importing it needs no ROS.
"""

import argparse
from collections.abc import Mapping, Sequence
import sys
from xml.sax.saxutils import escape

from caption_node.errors import CaptionError
from caption_node.ros.cameras import DEFAULT_CAMERAS, Camera, read_cameras

_SHARED = (
    'description', 'caption', 'events', 'model_info', 'debug/processing_time_ms',
    'debug/pipeline_latency_ms', 'transition_event',
)  # fmt: skip
_EVERY_NODE = ('/diagnostics', '/parameter_events', '/rosout')
_SERVICES = (
    'describe', 'change_state', 'get_state', 'get_available_states', 'get_available_transitions',
    'get_transition_graph', 'describe_parameters', 'get_parameter_types', 'get_parameters',
    'list_parameters', 'set_parameters', 'set_parameters_atomically', 'get_type_description',
)  # fmt: skip


def permissions(
    cameras: Mapping[str, Camera], namespace: str = '/'
) -> dict[tuple[str, str], tuple[str, ...]]:
    """
    Return the names that the node needs, by kind and permission.

    :param cameras: The cameras by name.
    :param namespace: Namespace of the node.
    :returns: Full names for ``('topics', 'publish')`` and so on.
    """
    home = f'{namespace.rstrip("/")}/caption_node'
    published = [f'{home}/{name}' for name in _SHARED] + list(_EVERY_NODE)
    if len(cameras) == 1:
        published.append(f'{home}/overlay/compressed')
    else:
        published += [
            f'{home}/{camera}/{name}'
            for camera in cameras
            for name in ('description', 'caption', 'overlay/compressed')
        ]
    heard = []
    for camera in cameras.values():
        topic = camera.topic
        topic = topic if topic.startswith('/') else f'{namespace.rstrip("/")}/{topic}'
        heard.append(topic)
        if not topic.endswith('/compressed'):
            heard.append(f'{topic}/compressed')
    return {
        ('topics', 'subscribe'): (*sorted(heard), '/clock'),
        ('topics', 'publish'): tuple(sorted(published)),
        ('services', 'reply'): tuple(f'{home}/{name}' for name in sorted(_SERVICES)),
    }


def policy_xml(cameras: Mapping[str, Camera], namespace: str = '/') -> str:
    """Return the policy file, as ``ros2 security create_permission`` takes it."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<!-- SPDX-FileCopyrightText: 2026 The caption_node authors -->',
        '<!-- SPDX-License-Identifier: Apache-2.0 -->',
        '<!-- Written by python -m caption_node.ros.security_policy -->',
        '<policy version="0.2.0">',
        '  <enclaves>',
        '    <enclave path="/caption_node">',
        '      <profiles>',
        f'        <profile ns="{escape(namespace)}" node="caption_node">',
    ]
    for (kind, permission), names in permissions(cameras, namespace).items():
        lines.append(f'          <{kind} {permission}="ALLOW">')
        lines += [f'            <{kind[:-1]}>{escape(name)}</{kind[:-1]}>' for name in names]
        lines.append(f'          </{kind}>')
    lines += [
        '        </profile>',
        '      </profiles>',
        '    </enclave>',
        '  </enclaves>',
        '</policy>',
    ]
    return '\n'.join(lines) + '\n'


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Print the policy.

    :returns: Exit status.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--namespace', default='/')
    parser.add_argument('--cameras', help='as the parameter cameras, separated by commas')
    options = parser.parse_args(arguments)
    entries = options.cameras.split(',') if options.cameras else DEFAULT_CAMERAS
    try:
        sys.stdout.write(policy_xml(read_cameras(entries), options.namespace))
    except CaptionError as err:
        sys.stderr.write(f'error: {err}\n' + (f'hint: {err.hint}\n' if err.hint else ''))
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
