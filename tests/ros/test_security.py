# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The security policy names what the node really has, no more, no less; nothing unpickles."""

import ast
from pathlib import Path
import xml.etree.ElementTree as ET

import pytest

from caption_node.ros.cameras import read_cameras
from caption_node.ros.security_policy import permissions, policy_xml
from tests.ros.conftest import ROOT, Listener, Start, node_line

pytestmark = pytest.mark.ros


@pytest.mark.parametrize('cameras', [['image'], ['front=/front/image', 'rear=/rear/compressed']])
def test_the_policy_is_the_graph_of_the_node(
    start: Start, listener: Listener, tiny_model: Path, cameras: list[str]
) -> None:
    node = start(
        *node_line(
            '-p', f'model:={tiny_model}', '-p', f'cameras:=[{", ".join(cameras)}]',
            '-p', 'use_sim_time:=true',
        )
    )  # fmt: skip
    allowed = permissions(read_cameras(cameras))
    assert listener.wait(lambda: 'active after' in node.output), node.output
    of_node = ('caption_node', '/')
    known = listener.node.get_node_names_and_namespaces
    assert listener.wait(lambda: of_node in known())

    def graph() -> dict[tuple[str, str], set[str]]:
        seen = {
            ('topics', 'subscribe'): listener.node.get_subscriber_names_and_types_by_node,
            ('topics', 'publish'): listener.node.get_publisher_names_and_types_by_node,
            ('services', 'reply'): listener.node.get_service_names_and_types_by_node,
        }
        return {key: {name for name, _ in ask(*of_node)} for key, ask in seen.items()}

    wanted = {key: set(names) for key, names in allowed.items()}
    listener.wait(lambda: graph() == wanted, 20)
    assert graph() == wanted


def test_the_policy_is_well_formed_and_follows_the_namespace() -> None:
    root = ET.fromstring(policy_xml(read_cameras(['image']), '/car').encode())
    profile = root.find('./enclaves/enclave/profiles/profile')
    assert profile is not None
    assert (profile.get('ns'), profile.get('node')) == ('/car', 'caption_node')
    topics = [t.text for t in profile.findall("./topics[@publish='ALLOW']/topic")]
    assert '/car/caption_node/description' in topics
    heard = [t.text for t in profile.findall("./topics[@subscribe='ALLOW']/topic")]
    assert '/car/image/compressed' in heard


def test_no_module_of_the_run_time_path_unpickles() -> None:
    forbidden = {'pickle', 'cPickle', 'dill', 'shelve', 'marshal', 'joblib', 'cloudpickle'}
    places = [p for p in (ROOT / 'caption_node').rglob('*.py') if 'training' not in p.parts]
    assert len(places) > 50
    for path in places:
        for item in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            names = []
            if isinstance(item, ast.Import):
                names = [alias.name for alias in item.names]
            elif isinstance(item, ast.ImportFrom):
                names = [item.module or '']
            elif isinstance(item, ast.Call):
                allows = [k for k in item.keywords if k.arg == 'allow_pickle']
                assert all(
                    isinstance(k.value, ast.Constant) and k.value.value is False for k in allows
                ), path
            assert not {name.split('.')[0] for name in names} & forbidden, path
